/** The mesh's root as a line of `status`. */
import { RESOURCE_TYPES } from '@lateen/api'
import { ROTATION_NAME, recordFromData } from '@lateen/ca'
import { isNotFound, type KubeClient } from '@lateen/kube'
import { type CaReport, progressLine, reportOf } from './report.ts'

const SOON_DAYS = 30

export interface RootPart {
  readonly component: 'root certificate'
  readonly status: 'valid' | 'changing' | 'expires soon' | 'expired'
  readonly detail: string
}

/** The CA as a control plane has noted it; nothing before one has. */
export async function notedCa(client: KubeClient, namespace = 'istio-system'): Promise<CaReport | undefined> {
  const map = await client.get(RESOURCE_TYPES.ConfigMap, namespace, ROTATION_NAME).catch((error: unknown) => {
    if (isNotFound(error)) return undefined
    throw error
  })
  return map && reportOf(recordFromData(map.data), Date.now())
}

/** Nothing before a control plane has noted its CA. */
export async function rootPart(client: KubeClient, namespace?: string): Promise<RootPart | undefined> {
  const report = await notedCa(client, namespace)
  if (!report) return undefined
  const { outside, rotation } = report
  if (outside && outside.roots.length === 0)
    return { component: 'root certificate', status: 'valid', detail: `${outside.name} signs for workloads; its root is not known here` }
  const [root] = [...(outside?.roots ?? [report.root])].sort((a, b) => a.daysLeft - b.daysLeft)
  if (!root) return undefined
  const part = { component: 'root certificate' } as const
  if (rotation) return { ...part, status: 'changing', detail: progressLine(rotation) }
  const status = root.daysLeft < 0 ? 'expired' : root.daysLeft < SOON_DAYS ? 'expires soon' : 'valid'
  return { ...part, status, detail: `${outside ? `of ${outside.name}, ` : ''}until ${root.expires}, ${root.daysLeft} days` }
}
