/**
 * Puts the CA into the webhook configurations of this revision, so that the API server can verify the webhooks. Empty ones are
 * filled by any replica at once; one that differs is changed by the leader alone. Nothing else of a configuration is touched.
 */
import { type KubeObject, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { logger } from '@lateen/base'
import { ApiError, isConflict, isNotFound, type KubeClient, type ListWatch, listWatch } from '@lateen/kube'

export interface CaBundleOptions {
  readonly client: KubeClient
  readonly revision: string
  readonly injectionName: string
  readonly validationName: string
  /** Namespace of this control plane: a webhook that calls a service elsewhere is not ours. */
  readonly namespace: string
  readonly roots: () => string
  readonly onPatched: (outcome: 'patched' | 'failed', name: string) => void
}

export interface CaBundlePatcher {
  refresh(): void
  /** Every configuration has the present roots, as far as is known. */
  readonly settled: boolean
  lead(signal: AbortSignal): void
  stop(): void
}

interface Webhook {
  readonly name?: string
  readonly clientConfig?: { readonly caBundle?: string; readonly service?: { readonly name?: string; readonly namespace?: string } }
}

const log = logger('webhook')
const RETRY_MS = 2_000

export function patchCaBundles(options: CaBundleOptions): CaBundlePatcher {
  const known = new Map<string, { readonly type: ResourceType; readonly object: KubeObject }>()
  const busy = new Set<string>()
  const timers = new Set<NodeJS.Timeout>()
  let leading = false
  let stopped = false

  const consider = async (key: string): Promise<void> => {
    const entry = known.get(key)
    if (!entry || busy.has(key) || stopped) return
    const patch = bundlePatch(entry.object, options, leading)
    if (patch.length === 0) return
    busy.add(key)
    const { name } = entry.object.metadata
    try {
      await options.client.patch(entry.type, undefined, name, patch, { type: 'application/json-patch+json' })
      log.info(`put the CA into ${entry.type.kind} ${name}`)
      options.onPatched('patched', name)
    } catch (error) {
      if (isNotFound(error)) return
      // Someone else was changing it: what is then seen decides anew.
      const isRace = isConflict(error) || (error instanceof ApiError && error.code === 422)
      if (!isRace) {
        options.onPatched('failed', name)
        log.warn(`the CA could not be put into ${entry.type.kind} ${name}: ${error instanceof Error ? error.message : String(error)}`)
      }
      const timer = setTimeout(() => {
        timers.delete(timer)
        void consider(key)
      }, RETRY_MS)
      timer.unref()
      timers.add(timer)
    } finally {
      busy.delete(key)
    }
  }
  const refresh = () => {
    for (const key of known.keys()) void consider(key)
  }
  const follow = (type: ResourceType): ListWatch => {
    const keyOf = (object: KubeObject) => `${type.kind}/${object.metadata.name}`
    const set = (object: KubeObject) => {
      known.set(keyOf(object), { type, object })
      void consider(keyOf(object))
    }
    return listWatch(
      options.client,
      type,
      { project: (object) => (isOurs(object, options) ? object : undefined), log },
      { replace: (objects) => objects.forEach(set), set, delete: (object) => void known.delete(keyOf(object)) },
    )
  }
  const watches = [follow(RESOURCE_TYPES.MutatingWebhookConfiguration), follow(RESOURCE_TYPES.ValidatingWebhookConfiguration)]
  return {
    refresh,
    get settled() {
      return [...known.values()].every(({ object }) => bundlePatch(object, options, true).length === 0)
    },
    lead: (signal) => {
      leading = true
      signal.addEventListener('abort', () => {
        leading = false
      })
      refresh()
    },
    stop: () => {
      stopped = true
      for (const timer of timers) clearTimeout(timer)
      for (const watch of watches) watch.stop()
    },
  }
}

/** By its label of this revision, or by one of the names that installations use. */
function isOurs({ kind, metadata }: KubeObject, { revision, injectionName, validationName, namespace }: CaBundleOptions): boolean {
  if (metadata.labels?.['istio.io/rev'] === revision) return true
  const suffix = revision === 'default' ? '' : `-${revision}`
  const names =
    kind === 'MutatingWebhookConfiguration'
      ? [`${injectionName}${suffix}`, `${injectionName}${suffix}-${namespace}`]
      : [validationName, `istio-validator${suffix}-${namespace}`, 'istiod-default-validator']
  return names.includes(metadata.name)
}

function bundlePatch(object: KubeObject, options: CaBundleOptions, leading: boolean): { op: string; path: string; value: unknown }[] {
  const wanted = Buffer.from(options.roots()).toString('base64')
  const webhooks: readonly Webhook[] = Array.isArray(object.webhooks) ? object.webhooks : []
  return webhooks.flatMap(({ name, clientConfig }, index) => {
    const current = clientConfig?.caBundle ?? ''
    if (!clientConfig?.service || clientConfig.service.namespace !== options.namespace) return []
    if (current === wanted || (current !== '' && !leading)) return []
    // A webhook is named by its place in the list: it must still be the one that was looked at.
    return [
      { op: 'test', path: `/webhooks/${index}/name`, value: name },
      { op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: wanted },
    ]
  })
}
