/** `x wait`: until an object of configuration is in force in the proxies, or is gone. */
import { KINDS, type KubeObject, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { isNotFound } from '@lateen/kube'
import { type Cluster, withCluster } from '../../../cluster/connect.ts'
import { askIstiods } from '../../../cluster/istiod.ts'
import { findPods, kindOfWord, parsePodReference, proxyContainerOf } from '../../../cluster/pods.ts'
import { type Context, command } from '../../../shell/command.ts'
import { CommandError, EXIT } from '../../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../../shell/kube-flags.ts'
import { type Distribution, type Reached, reached, readDistribution } from './distribution.ts'

interface ConfigSubject {
  readonly type: ResourceType
  readonly namespace: string
  readonly name: string
}

/** A workload stands for the proxies of its pods: they must have all there is for them. */
interface WorkloadSubject {
  /** `deployment/api.production`. */
  readonly workload: string
}

type Subject = ConfigSubject | WorkloadSubject

const POLL_MS = 500

export const wait = command<string>({
  endsItself: true,
  help: 'Waits until an object is in force in the proxies, in its present generation (--for=distribution), or is gone and no proxy has anything of it (--for=delete). With a workload: until the proxies of its pods have all that there is for them.',
  args: [
    { name: 'type', help: 'kind of the object, such as virtualservice or deployment; or <kind>/<name>[.<namespace>]' },
    { name: 'name', help: '<name>[.<namespace>]', optional: true },
  ],
  flags: [
    { name: 'for', value: 'WHAT', choices: ['distribution', 'delete'], default: 'distribution', help: 'distribution or delete' },
    { name: 'timeout', value: 'DURATION', type: 'duration', default: '30s', help: 'longest wait' },
    { name: 'threshold', value: 'SHARE', default: '1', help: 'share of the proxies that is enough, such as 0.99' },
    { name: 'proxy', value: 'POD.NAMESPACE', help: 'only this proxy' },
    { name: 'generation', value: 'N', type: 'integer', help: 'wait for this generation instead of the one in the cluster' },
    { name: 'verbose', short: 'v', help: 'say how far it has come' },
    { name: 'revision', short: 'r', value: 'REVISION', help: 'only control planes of this revision' },
    ...KUBE_FLAGS,
  ],
  examples: [
    'lateen x wait --for=distribution virtualservice bookinfo.default',
    'lateen x wait --for=distribution virtualservice bookinfo.default --proxy cart-v1-x7k2.shop',
    'lateen x wait --threshold=.99 --timeout=300s VirtualService/bookinfo.default',
    'lateen x wait --for=distribution deployment/api-service.production',
  ],
  run: (context) => withCluster(context, (cluster) => waitFor(context, cluster, subjectOf(context, cluster.namespace))),
  render: (text) => text,
})

/** Exported for tests. @throws CommandError when the kind is not known */
export function subjectOf({ args: [first = '', second] }: Pick<Context, 'args'>, fallback: string): Subject {
  const [word = '', reference = second] = first.split('/')
  if (reference && (kindOfWord(word.toLowerCase()) !== undefined || word.toLowerCase() === 'pod')) {
    const { type, name, namespace } = parsePodReference(`${word}/${reference}`, fallback)
    return { workload: `${type}/${name}.${namespace}` }
  }
  const kind = KINDS.find((each) => [each.kind.toLowerCase(), each.plural].includes(word.toLowerCase().replaceAll('-', '')))
  if (!kind) {
    const known = KINDS.map((each) => each.kind.toLowerCase()).join(', ')
    throw new CommandError(
      `type ${word} is not recognized: it is no configuration of the mesh; use one of ${known}, or a workload such as deployment`,
      { exitCode: EXIT.usage },
    )
  }
  if (!reference) throw new CommandError(`name the ${kind.kind}: <name>[.<namespace>]`, { exitCode: EXIT.usage })
  const dot = reference.lastIndexOf('.')
  const [name, namespace] = dot > 0 ? [reference.slice(0, dot), reference.slice(dot + 1)] : [reference, fallback]
  const type = Object.values(RESOURCE_TYPES).find((each) => each.kind === kind.kind && each.group === kind.group)
  if (!type) throw new Error(`${kind.kind} has no resource type`)
  return { type, namespace, name }
}

async function waitFor(context: Context, cluster: Cluster, subject: Subject): Promise<string> {
  const { flags, signal, progress } = context
  const verb = flags.text('for') === 'delete' ? 'gone from' : 'present on'
  const timeoutMs = flags.duration('timeout') ?? 30_000
  const end = Date.now() + timeoutMs
  let last: Reached = { present: 0, total: 0, done: false }
  for (;;) {
    last = await progressOf(context, cluster, subject)
    if (flags.on('verbose')) progress.note(`${nameOf(subject)}: ${last.present} of ${last.total} proxies`)
    if (last.done) return `Resource ${nameOf(subject)} ${verb} ${last.present} out of ${last.total} sidecars`
    if (Date.now() + POLL_MS >= end || signal.aborted) break
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  const whom = flags.text('proxy') ?? 'all sidecars'
  throw new CommandError(
    `timeout expired before resource ${nameOf(subject)} became effective on ${whom}: after ${timeoutMs / 1000} s ${last.present} of ${last.total} have it; "lateen proxy-status" shows which lack it, "lateen analyze" whether it was refused`,
  )
}

function thresholdOf(flags: Context['flags']): number {
  const share = Number(flags.text('threshold'))
  if (share >= 0 && share <= 1) return share
  throw new CommandError(`--threshold=${flags.text('threshold')}: a share from 0 to 1 is wanted`, { exitCode: EXIT.usage })
}

const nameOf = (subject: Subject): string =>
  'workload' in subject ? subject.workload : `${subject.type.kind}/${subject.namespace}/${subject.name}`

async function progressOf(context: Context, cluster: Cluster, subject: Subject): Promise<Reached> {
  if (!('workload' in subject))
    return context.flags.text('for') === 'delete' ? whetherGone(context, cluster, subject) : whetherThere(context, cluster, subject)
  const pods = await findPods(cluster.client, subject.workload, cluster.namespace)
  const proxies = pods.filter((pod) => proxyContainerOf(pod) !== undefined).map(({ metadata }) => `${metadata.name}.${metadata.namespace}`)
  if (proxies.length === 0)
    throw new CommandError(`${subject.workload} has no running pod with a proxy; see: lateen x check-inject ${subject.workload}`)
  const { proxies: known } = await distributionOf(context, cluster)
  const states = proxies.map((proxy) => ({ proxy, state: known.find((each) => each.proxy === proxy)?.state ?? 'not connected' }))
  return reached({ generation: 0, proxies: states }, 0, thresholdOf(context.flags))
}

async function generationOf({ client }: Cluster, { type, namespace, name }: ConfigSubject): Promise<number> {
  try {
    const object: KubeObject = await client.get(type, namespace, name)
    return object.metadata.generation ?? 0
  } catch (error) {
    if (!isNotFound(error)) throw error
    throw new CommandError(
      `there is no ${type.kind} "${name}" in namespace "${namespace}"; see: kubectl get ${type.plural} -n ${namespace}`,
    )
  }
}

async function whetherThere(context: Context, cluster: Cluster, subject: ConfigSubject): Promise<Reached> {
  const wanted = context.flags.integer('generation') ?? (await generationOf(cluster, subject))
  return reached(await distributionOf(context, cluster, subject), wanted, thresholdOf(context.flags))
}

/** Gone from the API server, from what every replica has in force, and from the proxies. */
async function whetherGone(context: Context, cluster: Cluster, subject: ConfigSubject): Promise<Reached> {
  const there = await cluster.client.get(subject.type, subject.namespace, subject.name).catch((error: unknown) => {
    if (!isNotFound(error)) throw error
  })
  const { generation, proxies } = await distributionOf(context, cluster, subject)
  const isInForce = there !== undefined || generation > 0
  return reached({ generation: isInForce ? -1 : 0, proxies }, 0, thresholdOf(context.flags))
}

/** Without a subject: of everything. */
async function distributionOf({ flags, progress }: Context, cluster: Cluster, subject?: ConfigSubject): Promise<Distribution> {
  const proxy = flags.text('proxy')
  const resource = subject ? `${subject.type.group}/${subject.type.kind}/${subject.namespace}/${subject.name}` : ''
  const query = new URLSearchParams({ resource, ...(proxy && { proxyID: proxy }) })
  const { answers, faults } = await askIstiods(cluster, `/debug/config_distribution?${query}`, flags.text('revision'))
  if (flags.on('verbose')) for (const fault of faults) progress.note(fault)
  return readDistribution(answers)
}
