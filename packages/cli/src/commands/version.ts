/** `version`: this program's, and those of the control planes and proxies of the mesh when one is reachable. */
import { PRODUCT_VERSION } from '../product.ts'
import { type Command, type Context, command, type Flag, HOME_FLAG, OUTPUT_FLAG } from '../shell/command.ts'
import { KUBE_FLAGS } from '../shell/kube-flags.ts'
import { XDS_FLAGS } from '../shell/xds-flags.ts'
import { type MeshVersions, type VersionInfo, versionInfo } from './version-info.ts'

/** With istioctl's field names; `golang_version` stays empty. */
export interface Versions extends MeshVersions {
  readonly clientVersion: VersionInfo
}

/** `--short=false`: everything about each build, one line each. */
interface LongVersions {
  readonly lines: readonly string[]
}

const OWN = versionInfo(PRODUCT_VERSION)

const SHORT: Flag = { name: 'short', short: 's', help: 'only the numbers' }
const OUTPUT: Flag = { ...OUTPUT_FLAG, help: 'short, json or yaml' }

export const version: Command = command<Versions | LongVersions>({
  help: 'Prints the version of this program and, when a mesh can be reached, those of its control planes and proxies.',
  flags: [
    SHORT,
    { name: 'remote', help: 'whether to ask the mesh; when not given, it is asked and need not answer' },
    { name: 'revision', short: 'r', value: 'REVISION', help: 'only control planes of this revision' },
    OUTPUT,
    ...XDS_FLAGS,
    ...KUBE_FLAGS,
    HOME_FLAG,
  ],
  examples: ['lateen version', 'lateen version --remote=false --short', 'lateen version -o json'],
  async run(context) {
    const versions: Versions = { clientVersion: OWN, ...(await meshVersions(context)) }
    const isLong = context.flags.given('short') && !context.flags.on('short')
    return isLong && context.flags.text('output') === undefined ? { lines: longLines(versions) } : versions
  },
  render: (found, style) => ('lines' in found ? found.lines.join('\n') : versionText(found, style)),
})

/** `bug-report version`: of this program alone. */
export const clientVersion: Command = command<Versions>({
  help: 'Prints the version of this program.',
  flags: [SHORT, OUTPUT],
  examples: ['lateen bug-report version'],
  run: async () => ({ clientVersion: OWN }),
  render: versionText,
})

/** Who has not asked for the mesh does not want to hear that there is none. */
async function meshVersions(context: Context): Promise<MeshVersions> {
  const { flags, progress } = context
  const isWanted = flags.given('remote')
  if (isWanted && !flags.on('remote')) return {}
  try {
    // Loaded only now: the version of this program is told without a Kubernetes client.
    return await (await import('./mesh-versions.ts')).readMeshVersions(context)
  } catch (error) {
    if (isWanted) progress.note(error instanceof Error ? error.message : String(error))
    return {}
  }
}

function versionText({ clientVersion: own, meshVersion, dataPlaneVersion }: Versions, style: 'table' | 'short'): string {
  if (style === 'short' && !meshVersion) return own.version
  return [
    `client version: ${own.version}`,
    ...[...new Set(meshVersion?.map(({ Info }) => Info.version))].map((number) => `control plane version: ${number}`),
    ...(dataPlaneVersion ? [`data plane version: ${countedVersions(dataPlaneVersion.map(({ IstioVersion }) => IstioVersion))}`] : []),
  ].join('\n')
}

/** `1.29.2 (1 proxy), 1.30.3 (5 proxies)`. */
function countedVersions(versions: readonly string[]): string {
  if (versions.length === 0) return 'none'
  const counts = new Map<string, number>()
  for (const number of versions) counts.set(number, (counts.get(number) ?? 0) + 1)
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([number, count]) => `${number} (${count} ${count === 1 ? 'proxy' : 'proxies'})`)
    .join(', ')
}

const buildText = ({ version: number, revision, golang_version, status, tag }: VersionInfo): string =>
  `version.BuildInfo{Version:"${number}", GitRevision:"${revision}", GolangVersion:"${golang_version}", BuildStatus:"${status}", GitTag:"${tag}"}`

function longLines({ clientVersion: own, meshVersion = [], dataPlaneVersion = [] }: Versions): string[] {
  return [
    `client version: ${buildText(own)}`,
    ...meshVersion.map(({ Component, Info }) => `${Component} version: ${buildText(Info)}`),
    ...dataPlaneVersion.map(({ ID, IstioVersion }) => `data plane version: version.ProxyInfo{ID:"${ID}", IstioVersion:"${IstioVersion}"}`),
  ]
}
