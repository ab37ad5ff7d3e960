/** The control plane: replicas, readiness, one version. */
import { RESOURCE_TYPES } from '@lateen/api'
import { askIstiods, findIstiods } from '../../cluster/istiod.ts'
import type { PodObject } from '../../cluster/pods.ts'
import { type CheckContext, type CheckResult, counted, error, LINKS, named, ok, warning } from './result.ts'

const VERSION = 'app.kubernetes.io/version'
const REVISION = 'istio.io/rev'

export async function controlPlaneChecks({ cluster }: CheckContext): Promise<CheckResult[]> {
  const runs = 'a control plane runs'
  const { items } = await cluster.client.list<PodObject>(RESOURCE_TYPES.Pod, {
    namespace: cluster.istioNamespace,
    labelSelector: 'app=istiod',
  })
  if (items.length === 0) {
    return [
      error(runs, `there is no pod with app=istiod in namespace ${cluster.istioNamespace}`, {
        hint: 'install one, name its namespace with --istioNamespace, or start a mesh on this machine: lateen up',
        link: LINKS.installation,
      }),
    ]
  }
  const waiting = items.filter((pod) => !isReady(pod)).map(({ metadata }) => metadata.name)
  const ready = items.length - waiting.length
  const advice = { hint: `kubectl describe pod -n ${cluster.istioNamespace} -l app=istiod`, link: LINKS.installation }
  const replicas = 'all replicas of the control plane are ready'
  if (ready === 0) return [error(runs, `none of ${counted(items.length, 'replica')} is ready: ${named(waiting)}`, advice)]
  return [
    ok(runs, `${counted(items.length, 'replica')} in namespace ${cluster.istioNamespace}`),
    waiting.length === 0 ? ok(replicas) : warning(replicas, `not ready: ${named(waiting)}`, advice),
    await answersCheck(cluster),
    versionCheck(items),
  ]
}

const isReady = ({ status }: PodObject): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? status?.phase === 'Running'

async function answersCheck(cluster: CheckContext['cluster']): Promise<CheckResult> {
  const check = 'every running replica answers'
  const pods = await findIstiods(cluster)
  const faults = await askIstiods(cluster, '/ready').then(
    (answered) => answered.faults,
    (cause: unknown) => (cause instanceof Error ? cause.message : String(cause)).split('\n'),
  )
  if (faults.length === 0) return ok(check)
  return warning(check, `${faults.length} of ${pods.length} do not: ${faults[0]}`, {
    hint: `kubectl logs -n ${cluster.istioNamespace} -l app=istiod`,
    link: LINKS.installation,
  })
}

/** Replicas of one revision are of one version, but while they are replaced. */
function versionCheck(pods: readonly PodObject[]): CheckResult {
  const check = 'the replicas of each revision are of one version'
  const versions = new Map<string, Set<string>>()
  for (const { metadata } of pods) {
    const revision = metadata.labels?.[REVISION] ?? 'default'
    versions.set(revision, (versions.get(revision) ?? new Set()).add(metadata.labels?.[VERSION] ?? imageVersion(metadata.labels)))
  }
  const mixed = [...versions].filter(([, found]) => found.size > 1)
  const all = [...versions].map(
    ([revision, found]) => `revision ${revision}: ${[...found].filter((each) => each !== '').join(', ') || 'unknown'}`,
  )
  if (mixed.length === 0) return ok(check, all.join('; '))
  return warning(check, all.join('; '), { hint: 'wait until the rollout of the control plane has ended', link: LINKS.upgrade })
}

/** Helm's chart has it in another label. */
const imageVersion = (labels: Readonly<Record<string, string>> | undefined): string =>
  labels?.['helm.sh/chart']?.replace(/^istiod-/, '') ?? ''
