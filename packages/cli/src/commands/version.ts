/** `version`: this program's, that of the control plane's replicas, and those of the proxies. */
import { stringify } from 'yaml'
import { type Cluster, connect } from '../cluster/connect.ts'
import { askIstiods } from '../cluster/istiod.ts'
import { PRODUCT_VERSION } from '../product.ts'
import { type Context, command, HOME_FLAG } from '../shell/command.ts'
import { CommandError } from '../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../shell/kube-flags.ts'
import { readSyncStatus } from './proxy-status/sync-status.ts'

/** With istioctl's field names. */
interface BuildInfo {
  readonly version: string
  readonly revision: string
  readonly golang_version: string
  readonly status: string
  readonly tag: string
}

interface Versions {
  readonly clientVersion: BuildInfo
  readonly meshVersion?: readonly { readonly Component: string; readonly Revision: string; readonly Info: BuildInfo }[]
  readonly dataPlaneVersion?: readonly { readonly ID: string; readonly IstioVersion: string }[]
}

export const version = command<Versions | string>({
  help: 'Prints the version of this program and, when a cluster is reachable, those of its control plane and of the proxies.',
  flags: [
    { name: 'short', short: 's', default: true, help: 'only the numbers' },
    { name: 'remote', default: true, help: 'whether to ask the control plane' },
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['json', 'yaml'], help: 'json or yaml' },
    { name: 'revision', short: 'r', value: 'REVISION', help: 'only control planes of this revision' },
    { name: 'timeout', value: 'DURATION', type: 'duration', default: '30s', hidden: true, help: 'accepted' },
    ...['xds-address', 'xds-label', 'cert-dir', 'authority'].map((name) => ({ name, value: 'TEXT', hidden: true as const, help: 'accepted' })),
    { name: 'xds-port', value: 'PORT', type: 'integer', default: 15012, hidden: true, help: 'accepted' },
    ...['insecure', 'plaintext'].map((name) => ({ name, hidden: true as const, help: 'accepted' })),
    ...KUBE_FLAGS,
    HOME_FLAG,
  ],
  examples: ['lateen version', 'lateen version --remote=false', 'lateen version -o json'],
  async run(context) {
    const { flags } = context
    const client = buildInfo(PRODUCT_VERSION)
    const versions = { clientVersion: client, ...(flags.on('remote') ? await remoteVersions(context) : {}) }
    if (flags.text('output') !== undefined) return versions
    // Scripts read the bare number.
    if (flags.given('short') && flags.on('short') && !flags.on('remote')) return client.version
    return flags.on('short') ? shortText(versions) : longText(versions)
  },
  render: (found) => (typeof found === 'string' ? found : stringify(found)),
})

const buildInfo = (version: string, revision = 'lateen', status = 'Clean'): BuildInfo => ({
  version,
  revision,
  golang_version: '',
  status,
  tag: version,
})

/** What there is to know; why the rest is missing goes to standard error. */
async function remoteVersions(context: Context): Promise<Omit<Versions, 'clientVersion'>> {
  const cluster = clusterOf(context)
  if (!cluster) return {}
  try {
    const revision = context.flags.text('revision')
    const [control, proxies] = await Promise.all([
      askIstiods(cluster, '/version', revision),
      askIstiods(cluster, '/debug/syncz', revision).catch(() => ({ answers: [], faults: ['the versions of the proxies could not be read'] })),
    ])
    for (const fault of [...control.faults, ...proxies.faults]) context.progress.note(fault)
    return {
      meshVersion: control.answers.map(({ revision, body }) => ({ Component: 'pilot', Revision: revision, Info: readVersion(body) })),
      dataPlaneVersion: readSyncStatus(proxies.answers).map(({ proxy, version }) => ({ ID: proxy, IstioVersion: version })),
    }
  } catch (error) {
    context.progress.note(error instanceof Error ? error.message : String(error))
    return {}
  } finally {
    cluster.client.close()
  }
}

/** A machine without a cluster still has a version. */
function clusterOf(context: Context): Cluster | undefined {
  try {
    return connect(context)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    if (context.flags.given('kubeconfig') || context.flags.given('context')) context.progress.note(error.message)
    return undefined
  }
}

/** `1.30.3-lateen-Clean`: version, revision, status. Exported for tests. */
export function readVersion(text: string): BuildInfo {
  const [, version = text.trim(), revision, status] = /^(.+)-([^-]+)-([^-]+)$/.exec(text.trim()) ?? []
  return buildInfo(version, revision, status)
}

function shortText({ clientVersion, meshVersion = [], dataPlaneVersion = [] }: Versions): string {
  const control = [...new Set(meshVersion.map(({ Info }) => Info.version))].sort()
  const counts = Map.groupBy(dataPlaneVersion, ({ IstioVersion }) => IstioVersion)
  const proxies = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([number, own]) => `${number} (${own.length} ${own.length === 1 ? 'proxy' : 'proxies'})`)
  return [
    `client version: ${clientVersion.version}`,
    ...(control.length > 0 ? [`control plane version: ${control.join(', ')}`] : []),
    ...(meshVersion.length > 0 ? [`data plane version: ${proxies.length > 0 ? proxies.join(', ') : 'none'}`] : []),
  ].join('\n')
}

const longInfo = ({ version, revision, golang_version, status, tag }: BuildInfo): string =>
  `version.BuildInfo{Version:"${version}", GitRevision:"${revision}", GolangVersion:"${golang_version}", BuildStatus:"${status}", GitTag:"${tag}"}`

function longText({ clientVersion, meshVersion = [], dataPlaneVersion = [] }: Versions): string {
  return [
    `client version: ${longInfo(clientVersion)}`,
    ...meshVersion.map(({ Component, Info }) => `${Component} version: ${longInfo(Info)}`),
    ...dataPlaneVersion.map(({ ID, IstioVersion }) => `data plane version: version.ProxyInfo{ID:"${ID}", IstioVersion:"${IstioVersion}"}`),
  ].join('\n')
}
