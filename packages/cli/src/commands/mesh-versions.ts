/** Versions of the control planes of a mesh, by what their pods say, and of the proxies that are connected to them. */
import { withCluster } from '../cluster/connect.ts'
import { askIstiods, findIstiods } from '../cluster/istiod.ts'
import type { Context } from '../shell/command.ts'
import { readSyncStatus } from './proxy-status/sync-status.ts'
import { type MeshVersions, type VersionInfo, versionInfo } from './version-info.ts'

const VERSION_LABEL = 'app.kubernetes.io/version'

/**
 * All is asked for at once. A control plane that does not answer has the version of its pod's label, and no proxies to tell of.
 *
 * @throws CommandError when no control plane runs
 */
export async function readMeshVersions(context: Context): Promise<MeshVersions> {
  return withCluster(context, async (cluster) => {
    const revision = context.flags.text('revision') || undefined
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
    if (!synced) return { meshVersion }
    const proxies = readSyncStatus(synced.answers)
    return { meshVersion, dataPlaneVersion: proxies.map(({ proxy, version }) => ({ ID: proxy, IstioVersion: version })) }
  })
}

/** The label of a pod names its version; more than that the control plane must be asked for. */
const wantsDetails = ({ flags }: Context): boolean => flags.text('output') !== undefined || (flags.given('short') && !flags.on('short'))

/** `1.30.3-lateen-Clean`: version, revision, status. Exported for tests. */
export function readVersion(text: string): VersionInfo {
  const [, version = text.trim(), revision, status] = /^(.+)-([^-]+)-([^-]+)$/.exec(text.trim()) ?? []
  return versionInfo(version, revision, status)
}
