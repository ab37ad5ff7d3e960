/** `x check-inject`: which injection webhook takes a pod, and why the others do not. */
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { type Cluster, withCluster } from '../../../cluster/connect.ts'
import { findPod } from '../../../cluster/pods.ts'
import { paddedTable } from '../../../render/table.ts'
import { type Context, command } from '../../../shell/command.ts'
import { CommandError, EXIT } from '../../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../../shell/kube-flags.ts'
import { type InjectionHook, injectionHooks, type Verdict, verdictOf } from './webhooks.ts'

interface Checked {
  readonly hooks: readonly (Verdict & { readonly webhook: string; readonly revision: string })[]
  /** What else keeps the pod from being injected. */
  readonly remarks: readonly string[]
}

type Labels = Readonly<Record<string, string>>

interface Subject {
  readonly pod: Labels
  readonly namespace: Labels
  readonly remarks: readonly string[]
}

export const checkInject = command<Checked>({
  help: 'Whether a pod is injected, or would be: each injection webhook with its answer and the label that decides it. Instead of a pod, labels that a pod would have.',
  args: [{ name: 'pod', help: '[<type>/]<name>[.<namespace>]', optional: true }],
  flags: [{ name: 'labels', short: 'l', value: 'K=V,…', help: 'labels of a pod that is not there yet' }, ...KUBE_FLAGS],
  examples: [
    'lateen x check-inject details-v1-5b7d-xk2p.shop',
    'lateen x check-inject deployment/details-v1 -n shop',
    'lateen x check-inject -n shop -l app=details,version=v1',
  ],
  run: (context) =>
    withCluster(context, async (cluster) => {
      const subject = await subjectOf(context, cluster)
      return checked(await injectionHooks(cluster.client), subject)
    }),
  render: ({ hooks, remarks }) => {
    if (hooks.length === 0) return 'ERROR: no Istio injection hooks present.'
    const rows = hooks.map(({ webhook, revision, injects, reason }) => [webhook, revision, injects ? '✔' : '✘', reason])
    const several = hooks.filter(({ injects }) => injects).length > 1
    return [
      paddedTable(['WEBHOOK', 'REVISION', 'INJECTED', 'REASON'], rows, 2),
      ...(several ? ['ERROR: multiple webhooks will inject, which can lead to errors'] : []),
      ...remarks,
    ].join('\n')
  },
})

/** Exported for tests. */
export function checked(hooks: readonly InjectionHook[], { pod, namespace, remarks }: Subject): Checked {
  const verdicts = hooks.map((hook) => ({ webhook: hook.name, revision: hook.revision, ...verdictOf(hook, pod, namespace) }))
  return { hooks: verdicts, remarks: verdicts.some(({ injects }) => injects) ? remarks : [] }
}

async function subjectOf({ args: [reference], flags }: Context, cluster: Cluster): Promise<Subject> {
  const given = flags.text('labels')
  if ((reference === undefined) === (given === undefined)) {
    throw new CommandError('check-inject takes a pod as [<type>/]<name>[.<namespace>], or --labels', { exitCode: EXIT.usage })
  }
  if (reference === undefined) {
    return { pod: labelsOf(given ?? ''), namespace: await namespaceLabels(cluster, cluster.namespace), remarks: [] }
  }
  const pod = await findPod(cluster.client, reference, cluster.namespace)
  const { namespace = 'default' } = pod.metadata
  return { pod: pod.metadata.labels ?? {}, namespace: await namespaceLabels(cluster, namespace), remarks: remarksOn(pod) }
}

/** @throws CommandError for what is no label */
function labelsOf(text: string): Labels {
  return Object.fromEntries(
    text.split(',').map((part) => {
      const [key = '', value, ...more] = part.trim().split('=')
      if (key === '' || value === undefined || more.length > 0) {
        throw new CommandError(`--labels: "${part}" is no label; write them as app=details,version=v1`, { exitCode: EXIT.usage })
      }
      return [key, value]
    }),
  )
}

async function namespaceLabels({ client }: Cluster, name: string): Promise<Labels> {
  const { metadata } = await client.get(RESOURCE_TYPES.Namespace, undefined, name)
  return metadata.labels ?? {}
}

/** The webhook is called, but the injector itself passes some pods over; and it sees pods only when they are made. */
function remarksOn(pod: KubeObject): string[] {
  const spec: unknown = pod.spec
  const onHost = typeof spec === 'object' && spec !== null && 'hostNetwork' in spec && spec.hostNetwork === true
  const annotation = pod.metadata.annotations?.['sidecar.istio.io/inject']
  const injected = pod.metadata.annotations?.['sidecar.istio.io/status'] !== undefined
  return [
    ...(onHost ? ["NOTE: the pod uses the host's network: the injector passes it over"] : []),
    ...(annotation === 'false' ? ['NOTE: the annotation sidecar.istio.io/inject is "false": the injector passes the pod over'] : []),
    ...(injected || onHost || annotation === 'false'
      ? []
      : ['NOTE: the pod has no proxy: it is older than the webhook or its labels; delete it, and its successor gets one']),
  ]
}
