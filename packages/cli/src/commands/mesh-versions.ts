/** Versions of the control planes of a mesh, by what their pods say, and of the proxies that are connected to them. */
import { type Cluster, withCluster } from '../cluster/connect.ts'
import { askControlPlanes, revisionOf, xdsAddress } from '../cluster/control-planes.ts'
import { type Answer, askIstiods, findIstiods } from '../cluster/istiod.ts'
import type { Context } from '../shell/command.ts'
import { readSyncStatus } from './proxy-status/sync-status.ts'
import { type MeshVersions, type VersionInfo, versionInfo } from './version-info.ts'

const VERSION_LABEL = 'app.kubernetes.io/version'

/** Who only wants to know a version does not wait as long as others. */
const PATIENCE_MS = 5_000

/** @throws CommandError when no control plane runs, or that of `--xds-address` does not answer */
export async function readMeshVersions(given: Context): Promise<MeshVersions> {
  const { flags } = given
  const isHurried = !flags.given('kubeclient-timeout')
  const duration = (name: string) => (isHurried && name === 'kubeclient-timeout' ? PATIENCE_MS : flags.duration(name))
  const context = { ...given, flags: { ...flags, duration } }
  return withCluster(context, (cluster) => (xdsAddress(context) ? atAddress(context, cluster) : inCluster(context, cluster)))
}

async function atAddress(context: Context, cluster: Cluster): Promise<MeshVersions> {
  const { answers } = await askControlPlanes(context, cluster, '/debug/syncz')
  return {
    meshVersion: answers.map(({ version }) => ({ Component: 'pilot', Info: versionInfo(version || 'unknown') })),
    dataPlaneVersion: proxiesOf(answers),
  }
}

/** All is asked for at once. A control plane that does not answer has the version of its pod's label, and no proxies to tell of. */
async function inCluster(context: Context, cluster: Cluster): Promise<MeshVersions> {
  const revision = revisionOf(context) || undefined
  const nobody = () => undefined
  const [pods, detailed, synced] = await Promise.all([
    findIstiods(cluster, revision),
    wantsDetails(context) ? askIstiods(cluster, '/version', revision).catch(nobody) : undefined,
    askIstiods(cluster, '/debug/syncz', revision).catch(nobody),
  ])
  const meshVersion = pods.map(({ metadata }) => {
    const told = detailed?.answers.find(({ istiod }) => istiod === metadata.name)
    return {
      Component: 'pilot',
      Revision: metadata.labels?.['istio.io/rev'] ?? 'default',
      Info: told ? readVersion(told.body) : versionInfo(metadata.labels?.[VERSION_LABEL] ?? 'unknown'),
    }
  })
  return { meshVersion, ...(synced && { dataPlaneVersion: proxiesOf(synced.answers) }) }
}

const proxiesOf = (answers: readonly Answer[]) =>
  readSyncStatus(answers).map(({ proxy, version }) => ({ ID: proxy, IstioVersion: version }))

/** The label of a pod names its version; more than that the control plane must be asked for. */
const wantsDetails = ({ flags }: Context): boolean => flags.text('output') !== undefined || (flags.given('short') && !flags.on('short'))

/** `1.30.3-lateen-Clean`: version, revision, status. Exported for tests. */
export function readVersion(text: string): VersionInfo {
  const [, version = text.trim(), revision, status] = /^(.+)-([^-]+)-([^-]+)$/.exec(text.trim()) ?? []
  return versionInfo(version, revision, status)
}
