/** `x injector list`: which namespaces are injected by which revision, and which pods still run another. */
import { type ConfigMap, type KubeObject, matchesLabelSelector, RESOURCE_TYPES } from '@lateen/api'
import { IGNORED_NAMESPACES } from '@lateen/inject'
import { withCluster } from '../../../cluster/connect.ts'
import { paddedTable } from '../../../render/table.ts'
import { command } from '../../../shell/command.ts'
import { KUBE_FLAGS } from '../../../shell/kube-flags.ts'
import { type InjectionHook, injectionHooks, REVISION } from './webhooks.ts'

interface Injectors {
  /** Namespace, its revision, pods of one revision. */
  readonly namespaces: readonly (readonly [string, string, string])[]
  /** Namespace, hook, revision, image. */
  readonly hooks: readonly (readonly [string, string, string, string])[]
}

export const injectorList = command<Injectors>({
  help: 'Lists the namespaces that are injected with their revision and the revisions of their pods, then the injection webhooks with the image that they inject.',
  flags: KUBE_FLAGS,
  examples: ['lateen x injector list', 'lateen x injector list -n shop'],
  run: (context) =>
    withCluster(context, async ({ client, istioNamespace, namespace }) => {
      const [all, hooks, pods, maps] = await Promise.all([
        client.list(RESOURCE_TYPES.Namespace),
        injectionHooks(client),
        client.list(RESOURCE_TYPES.Pod),
        client.list<ConfigMap>(RESOURCE_TYPES.ConfigMap, { namespace: istioNamespace, labelSelector: REVISION }),
      ])
      const only = context.flags.given('namespace') ? namespace : undefined
      const namespaces = all.items.filter((each) => isCandidate(each, istioNamespace) && (!only || each.metadata.name === only))
      return injectors({ namespaces, hooks, pods: pods.items, images: imagesOf(maps.items) })
    }),
  render: ({ namespaces, hooks }) => {
    const first =
      namespaces.length === 0
        ? 'No Istio injected namespaces present.'
        : paddedTable(['NAMESPACE', 'ISTIO-REVISION', 'POD-REVISIONS'], namespaces, 1)
    const second =
      hooks.length === 0
        ? 'No Istio injection hooks present.'
        : paddedTable(['NAMESPACES', 'INJECTOR-HOOK', 'ISTIO-REVISION', 'SIDECAR-IMAGE'], hooks, 1)
    return `${first}\n\n${second}`
  },
})

function isCandidate({ metadata: { name, labels = {} } }: KubeObject, istioNamespace: string): boolean {
  return !IGNORED_NAMESPACES.includes(name) && name !== istioNamespace && labels['istio.io/dataplane-mode'] !== 'ambient'
}

interface Found {
  readonly namespaces: readonly KubeObject[]
  readonly hooks: readonly InjectionHook[]
  readonly pods: readonly KubeObject[]
  /** By revision. */
  readonly images: ReadonlyMap<string, string>
}

/** Exported for tests. */
export function injectors({ namespaces, hooks, pods, images }: Found): Injectors {
  const sorted = [...namespaces].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  const byNamespace = Map.groupBy(pods, ({ metadata }) => metadata.namespace ?? '')
  return {
    namespaces: sorted.flatMap((namespace) => {
      const revision = revisionOf(namespace, hooks)
      return podCounts(byNamespace.get(namespace.metadata.name) ?? [], revision).map(
        (text) => [namespace.metadata.name, revision, text] as const,
      )
    }),
    hooks: hooks.flatMap((hook) => {
      const matching = sorted.filter((namespace) => injectsAll(hook, namespace)).map(({ metadata }) => metadata.name)
      const names = matching.length === 0 ? ['DOES NOT AUTOINJECT'] : matching
      return names.map((name) => [name, hook.name, hook.revision, images.get(hook.revision) ?? ''] as const)
    }),
  }
}

/** What a namespace's new pods get: a revision, `MISSING/…` when nobody serves what its label asks for, empty for none. */
function revisionOf({ metadata: { labels = {} } }: KubeObject, hooks: readonly InjectionHook[]): string {
  const hook = hooks.find(({ webhooks }) => webhooks.some(({ namespaceSelector = {} }) => matchesLabelSelector(namespaceSelector, labels)))
  const asked = labels[REVISION]
  const isSwitched = labels['istio-injection'] !== undefined
  if (hook && (asked !== undefined || isSwitched)) return hook.revision
  if (asked !== undefined) return `MISSING/${asked}`
  return isSwitched && labels['istio-injection'] !== 'disabled' ? 'MISSING/istio-injection' : ''
}

const NAMESPACE_HOOKS = ['rev.namespace.sidecar-injector.istio.io', 'namespace.sidecar-injector.istio.io']

/** Whether a hook injects every pod of the namespace that does not refuse. */
function injectsAll({ webhooks }: InjectionHook, { metadata: { labels = {} } }: KubeObject): boolean {
  return webhooks.some(
    ({ name, namespaceSelector = {} }) => NAMESPACE_HOOKS.includes(name) && matchesLabelSelector(namespaceSelector, labels),
  )
}

/** One text for each revision among the pods; one for none where new pods would be injected. */
function podCounts(pods: readonly KubeObject[], expected: string): string[] {
  if (pods.length === 0) return expected === '' ? [] : ['<no pods>']
  const byRevision = Map.groupBy(pods, podRevision)
  return [...byRevision].sort(([a], [b]) => (a < b ? -1 : 1)).map(([revision, own]) => countText(revision, own, expected))
}

function countText(revision: string, pods: readonly KubeObject[], expected: string): string {
  const disabled = pods.filter(isDisabled).length
  const stale = revision === expected ? 0 : pods.length - disabled
  const name = revision === '' ? '<non-Istio>' : revision
  return `${name}: ${pods.length}${disabled > 0 ? ` (injection disabled: ${disabled})` : ''}${stale > 0 ? ` NEEDS RESTART: ${stale}` : ''}`
}

/** The revision that injected a pod; empty for none. */
export function podRevision({ metadata: { annotations = {} } }: KubeObject): string {
  const own = annotations[REVISION]
  if (own !== undefined) return own
  try {
    const status: unknown = JSON.parse(annotations['sidecar.istio.io/status'] ?? '{}')
    return typeof status === 'object' && status !== null && 'revision' in status && typeof status.revision === 'string'
      ? status.revision
      : ''
  } catch {
    return ''
  }
}

const INJECT = 'sidecar.istio.io/inject'
const isDisabled = ({ metadata: { labels = {}, annotations = {} } }: KubeObject): boolean =>
  (labels[INJECT] ?? annotations[INJECT] ?? '').toLowerCase() === 'false'

/** The image of the proxy that each revision injects, by the values of its injector. */
function imagesOf(maps: readonly ConfigMap[]): ReadonlyMap<string, string> {
  return new Map(
    maps.flatMap(({ metadata, data = {} }) => {
      const image = imageIn(data['values'] ?? '')
      return image === '' ? [] : [[metadata.labels?.[REVISION] ?? '', image] as const]
    }),
  )
}

function imageIn(values: string): string {
  try {
    const document: unknown = JSON.parse(values)
    const at = (value: unknown, name: string): unknown =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, name)
        ? Object.entries(value).find(([key]) => key === name)?.[1]
        : undefined
    const global = at(document, 'global')
    const [hub, tag, image] = [at(global, 'hub'), at(global, 'tag'), at(at(global, 'proxy'), 'image')]
    if (typeof image !== 'string') return ''
    return image.includes('/') ? image : `${hub}/${image}:${tag}`
  } catch {
    return ''
  }
}
