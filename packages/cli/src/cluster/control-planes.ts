/** The control plane's debug pages, by the way that the flags say: through the API server, or over xDS from an address. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ConfigMap, RESOURCE_TYPES } from '@lateen/api'
import type { Asked } from '@lateen/xds/client'
import { at, text } from '../config-dump/fields.ts'
import { reading } from '../input/read-text.ts'
import type { Context } from '../shell/command.ts'
import { CommandError, EXIT } from '../shell/exit-codes.ts'
import type { Cluster } from './connect.ts'
import { type Answers, askIstiods } from './istiod.ts'

type Settings = Pick<Context, 'flags' | 'env'>

/**
 * GETs a debug page (`/debug/syncz`), for commands with the flags of `XDS_FLAGS` and `--revision`.
 *
 * @throws CommandError when no control plane answers
 */
export async function askControlPlanes(settings: Settings, cluster: Cluster, path: string): Promise<Answers> {
  const address = xdsAddress(settings)
  return address
    ? askAddress(settings, cluster, { address, page: path.replace(/^\/debug\//, '') })
    : askIstiods(cluster, path, revisionOf(settings))
}

/** `--xds-address`, else of the environment. */
export const xdsAddress = ({ flags, env }: Settings): string | undefined => flags.text('xds-address') || env['ISTIOCTL_XDS_ADDRESS']

const REVISION = 'istio.io/rev='

/** `--xds-label`, else `--revision`. @throws CommandError for a label that says nothing of revisions */
export function revisionOf({ flags }: Settings): string | undefined {
  const label = flags.text('xds-label')
  if (label === undefined) return flags.text('revision')
  if (label.startsWith(REVISION)) return label.slice(REVISION.length)
  throw new CommandError(`--xds-label=${label}: control planes are told apart by ${REVISION}REVISION`, { exitCode: EXIT.usage })
}

async function askAddress(
  { flags, env }: Settings,
  cluster: Cluster,
  { address, page }: { readonly address: string; readonly page: string },
): Promise<Answers> {
  const isOn = (name: 'plaintext' | 'insecure') => flags.on(name) || env[`ISTIOCTL_${name.toUpperCase()}`] === 'true'
  const proof = isOn('plaintext') ? {} : await proofOf({ flags, env }, cluster, isOn('insecure'))
  const { istioNamespace } = cluster
  // Large, and only wanted by who gives an address.
  const { inquire } = await import('@lateen/xds/client')
  try {
    const { resources, identifier } = await inquire({
      address,
      ...proof,
      nodeId: `sidecar~127.0.0.1~lateen.${istioNamespace}~${istioNamespace}.svc.cluster.local`,
      timeoutMs: flags.duration('timeout') ?? cluster.timeoutMs,
      typeUrl: 'istio.io/debug',
      names: [page],
    })
    const body = resources.map(({ bytes }) => Buffer.from(bytes).toString('utf8')).join('')
    const who = { istiod: textIn(identifier, 'ID') || address, version: textIn(identifier, 'Info', 'version') }
    return { answers: [{ ...who, revision: flags.text('revision') ?? '', body }], faults: [] }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError(`the control plane at ${address} did not answer: ${reason.trim()}`, { cause: error })
  }
}

/** Of what a control plane says of itself. */
function textIn(identifier: string, ...path: readonly string[]): string {
  try {
    return text(at(JSON.parse(identifier), ...path))
  } catch {
    return ''
  }
}

/** A certificate of `--cert-dir`, else a token of the control plane's own account, as istioctl uses. */
async function proofOf({ flags, env }: Settings, cluster: Cluster, insecure: boolean): Promise<Pick<Asked, 'tls' | 'token'>> {
  const { client, istioNamespace } = cluster
  const revision = flags.text('revision')
  const account = revision && revision !== 'default' ? `istiod-${revision}` : 'istiod'
  const serverName = flags.text('authority') || env['ISTIOCTL_AUTHORITY'] || `${account}.${istioNamespace}.svc`
  const directory = flags.text('cert-dir') || env['ISTIOCTL_CERT_DIR']
  if (directory) {
    const [chain, key, roots] = ['cert-chain.pem', 'key.pem', 'root-cert.pem'].map((name) => {
      const path = join(directory, name)
      return reading(path, () => readFileSync(path, 'utf8'))
    })
    return { tls: { serverName, insecure, roots: roots ?? '', certificate: { chain: chain ?? '', key: key ?? '' } } }
  }
  const [{ data = {} }, answer] = await Promise.all([
    client.get<ConfigMap>(RESOURCE_TYPES.ConfigMap, istioNamespace, 'istio-ca-root-cert'),
    client.request('POST', `/api/v1/namespaces/${istioNamespace}/serviceaccounts/${account}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: ['istio-ca'], expirationSeconds: 3600 },
    }),
  ])
  const roots = data['root-cert.pem']
  return { tls: { serverName, insecure, ...(roots !== undefined && { roots }) }, token: text(at(answer, 'status', 'token')) }
}
