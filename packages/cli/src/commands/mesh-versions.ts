/** Versions of the control planes of a mesh, by what their pods say, and of the proxies that are connected to them. */
import { withCluster } from '../cluster/connect.ts'
import { askIstiods, findIstiods } from '../cluster/istiod.ts'
import type { Context } from '../shell/command.ts'
import { readSyncStatus } from './proxy-status/sync-status.ts'
import { type MeshVersions, type VersionInfo, versionInfo } from './version-info.ts'

const VERSION_LABEL = 'app.kubernetes.io/version'

/** @throws CommandError when no control plane runs */
export async function readMeshVersions(context: Context): Promise<MeshVersions> {
  return withCluster(context, async (cluster) => {
    const revision = context.flags.text('revision') || undefined
    const pods = await findIstiods(cluster, revision)
    const detailed = wantsDetails(context) ? await askIstiods(cluster, '/version', revision).catch(() => undefined) : undefined
    const meshVersion = pods.map(({ metadata }) => {
      const told = detailed?.answers.find(({ istiod }) => istiod === metadata.name)
      return {
        Component: 'pilot',
        Revision: metadata.labels?.['istio.io/rev'] ?? 'default',
        Info: told ? readVersion(told.body) : versionInfo(metadata.labels?.[VERSION_LABEL] ?? 'unknown'),
      }
    })
    // A control plane that is just starting has no proxies to tell of, and its version is known all the same.
    const proxies = await askIstiods(cluster, '/debug/syncz', revision).then(
      ({ answers }) => readSyncStatus(answers),
      () => [],
    )
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
