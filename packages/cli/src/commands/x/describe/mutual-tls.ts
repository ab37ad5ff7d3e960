/** Which kinds of connections a pod accepts, and which PeerAuthentications say so. */
import { hasLabels, type KubeObject } from '@lateen/api'
import { composePeerPolicy, type EffectivePeerPolicy, peerPolicy } from '@lateen/model'

export interface Workload {
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
}

export interface AcceptedTls {
  readonly effective: EffectivePeerPolicy
  /** `name.namespace`: those of the mesh first. */
  readonly applied: readonly string[]
}

/** @param objects the PeerAuthentications of the workload's namespace and of the root namespace */
export function acceptedTls(objects: readonly KubeObject[], workload: Workload, rootNamespace: string): AcceptedTls {
  const policies = objects.map(peerPolicy)
  const applied = policies.filter(
    ({ namespace, selector }) =>
      (namespace === workload.namespace && (!selector || hasLabels(workload.labels, selector))) ||
      (namespace === rootNamespace && !selector),
  )
  const meshFirst = [...applied].sort((a, b) => Number(b.namespace === rootNamespace) - Number(a.namespace === rootNamespace))
  return {
    effective: composePeerPolicy(policies, { ...workload, rootNamespace }),
    applied: meshFirst.map(({ origin }) => `${origin.name}.${origin.namespace}`),
  }
}

export function mutualTlsLines({ effective, applied }: AcceptedTls): string[] {
  const ports = Object.entries(effective.ports)
  return [
    'Effective PeerAuthentication:',
    `   Workload mTLS mode: ${effective.mode}`,
    ...(ports.length > 0 ? ['   Port Level mTLS mode:', ...ports.map(([port, mode]) => `      ${port}: ${mode}`)] : []),
    ...(applied.length > 0 ? ['Applied PeerAuthentication:', `   ${applied.join(', ')}`] : []),
  ]
}
