/** `x precheck`: whether a mesh can be installed or upgraded in a cluster: version, rights, Gateway API, what would change. */
import { type Finding, MESSAGES } from '@lateen/analysis'
import { RESOURCE_TYPES } from '@lateen/api'
import { isNotFound } from '@lateen/kube'
import { type Cluster, withCluster } from '../../cluster/connect.ts'
import { at, list, text } from '../../config-dump/fields.ts'
import { type Context, command, Outcome } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { AnalysisOutput, renderLog, takesColor } from '../analyze/output.ts'

const LEAST_MINOR = 30
const LEVELS = ['Info', 'Warning', 'Error'] as const
type Level = (typeof LEVELS)[number]

export const precheck = command<AnalysisOutput>({
  help: 'Whether a control plane can be installed or upgraded here: the version of Kubernetes, your rights, the versions of Gateway API, and what changed since --from-version.',
  flags: [
    { name: 'from-version', short: 'f', value: 'VERSION', help: 'also tell what changed since this version, such as 1.21' },
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['log', 'json', 'yaml'], default: 'log', help: 'log, json or yaml' },
    {
      name: 'output-threshold',
      value: 'LEVEL',
      choices: LEVELS,
      default: 'Warning',
      help: 'least level that is shown: Info, Warning or Error',
    },
    { name: 'skip-controlplane', help: 'leave the checks of the cluster out' },
    { name: 'revision', short: 'r', value: 'REVISION', help: 'the control plane that is upgraded' },
    ...KUBE_FLAGS,
  ],
  examples: ['lateen x precheck', 'lateen x precheck --from-version 1.21', 'lateen x precheck -o json'],
  run: (context) => withCluster(context, async (cluster) => conclude(context, await findings(context, cluster))),
  render: (output) => (output.findings.length === 0 ? '' : renderLog(output)),
})

async function findings({ flags }: Context, cluster: Cluster): Promise<Finding[]> {
  const from = flags.text('from-version')
  const since = from === undefined ? undefined : minorOf(from)
  const checks = flags.on('skip-controlplane') ? [] : [versionFindings(cluster), rightFindings(cluster), gatewayApiFindings(cluster)]
  const found = await Promise.all([...checks, ...(since === undefined ? [] : [changeFindings(cluster, since)])])
  return found.flat()
}

/** @throws CommandError for what is no version */
function minorOf(version: string): number {
  const [, minor] = /^1\.(\d+)(\.\d+)?$/.exec(version) ?? []
  if (minor === undefined) throw new CommandError(`--from-version: "${version}" is no version; write it as 1.21`, { exitCode: EXIT.usage })
  return Number(minor)
}

function conclude({ flags, env, progress }: Context, found: readonly Finding[]): Outcome<AnalysisOutput> {
  const wanted = LEVELS.find((level) => level === flags.text('output-threshold')) ?? 'Info'
  const shown = found.filter(({ level }) => LEVELS.indexOf(level) >= LEVELS.indexOf(wanted))
  const failed = found.some(({ level }) => level !== 'Info')
  if (shown.length === 0) progress.note('✔ No issues found when checking the cluster. Istio is safe to install or upgrade!')
  if (failed) progress.note('Error: Issues found when checking the cluster. Istio may not be safe to install or upgrade.')
  return new Outcome(new AnalysisOutput(shown, takesColor(env)), failed ? EXIT.failure : EXIT.ok)
}

const finding = (
  message: Finding['message'],
  { code, level }: { readonly code: string; readonly level: Level },
  words: string,
  origin = 'Cluster',
): Finding => ({
  message,
  code,
  level,
  text: words,
  origin,
  path: '',
})

async function versionFindings({ client }: Cluster): Promise<Finding[]> {
  const found = await client.request<{ readonly major?: string; readonly minor?: string; readonly gitVersion?: string }>('GET', '/version')
  const minor = Number.parseInt(found.minor ?? '', 10)
  if (found.major !== '1' || Number.isNaN(minor) || minor >= LEAST_MINOR) return []
  const { UnsupportedKubernetesVersion: message } = MESSAGES
  const words = message.text({ version: found.gitVersion ?? '', minimumVersion: `1.${LEAST_MINOR}` })
  return [finding('UnsupportedKubernetesVersion', message, words)]
}

/** What an installation makes, as group, resource, and whether it is in the control plane's namespace. */
const MADE: readonly (readonly [group: string, resource: string, namespaced: boolean])[] = [
  ['', 'namespaces', false],
  ['rbac.authorization.k8s.io', 'clusterroles', false],
  ['rbac.authorization.k8s.io', 'clusterrolebindings', false],
  ['apiextensions.k8s.io', 'customresourcedefinitions', false],
  ['rbac.authorization.k8s.io', 'roles', true],
  ['', 'serviceaccounts', true],
  ['', 'services', true],
  ['apps', 'deployments', true],
  ['', 'configmaps', true],
  ['admissionregistration.k8s.io', 'mutatingwebhookconfigurations', false],
  ['admissionregistration.k8s.io', 'validatingwebhookconfigurations', false],
]

async function rightFindings(cluster: Cluster): Promise<Finding[]> {
  const refusals = await Promise.all(
    MADE.map(async ([group, resource, namespaced]) => {
      const reason = await refusal(cluster, { group, resource, ...(namespaced && { namespace: cluster.istioNamespace }) })
      return reason === undefined ? undefined : { resource, reason }
    }),
  )
  const { InsufficientPermissions: message } = MESSAGES
  return refusals
    .filter((each) => each !== undefined)
    .map(({ resource, reason }) => finding('InsufficientPermissions', message, message.text({ resource, error: reason })))
}

/** Why the user may not make such objects; undefined when he may. */
async function refusal({ client }: Cluster, attributes: Readonly<Record<string, string>>): Promise<string | undefined> {
  try {
    const review = await client.request('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { ...attributes, verb: 'create', version: 'v1' } },
    })
    return at(review, 'status', 'allowed') === true ? undefined : text(at(review, 'status', 'reason')) || 'permission denied'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const BETA_KINDS = new Set(['Gateway', 'GatewayClass', 'HTTPRoute', 'ReferenceGrant'])
const LEAST_GATEWAY_API = 'v1beta1'

/** Gateway API need not be there; where it is, it must be new enough. */
async function gatewayApiFindings({ client }: Cluster): Promise<Finding[]> {
  const { items } = await client.list(RESOURCE_TYPES.CustomResourceDefinition)
  const { UnsupportedGatewayAPIVersion: message } = MESSAGES
  return items
    .filter(({ spec }) => text(at(spec, 'group')) === 'gateway.networking.k8s.io' && BETA_KINDS.has(text(at(spec, 'names', 'kind'))))
    .flatMap(({ spec, metadata }) => {
      const served = list(at(spec, 'versions'))
        .filter((version) => at(version, 'served') === true)
        .map((version) => text(at(version, 'name')))
      if (served.includes(LEAST_GATEWAY_API) || served.includes('v1')) return []
      const words = message.text({ version: served.sort().join(',') || 'none', minimumVersion: LEAST_GATEWAY_API })
      return [finding('UnsupportedGatewayAPIVersion', message, words, `CustomResourceDefinition ${metadata.name}`)]
    })
}

const TRACING_CHANGED = 22

/** What an upgrade from an older version changes for this cluster. */
async function changeFindings({ client, istioNamespace }: Cluster, since: number): Promise<Finding[]> {
  if (since >= TRACING_CHANGED) return []
  try {
    await client.get(RESOURCE_TYPES.Service, istioNamespace, 'zipkin')
  } catch (error) {
    if (isNotFound(error)) return []
    throw error
  }
  const { UpdateIncompatibility: message } = MESSAGES
  const words = message.text({
    field: 'meshConfig.defaultConfig.tracer',
    release: '1.21',
    info: `traces are no longer sent to zipkin.${istioNamespace} unless a Telemetry object says so`,
    compatVersion: '1.21',
  })
  return [finding('UpdateIncompatibility', message, words, `Service ${istioNamespace}/zipkin`)]
}
