/** What users merge over the objects of a gateway, by ConfigMaps: a key names a kind of object, its text is a part of one. */
import { type KubeObject, parseYaml } from '@lateen/api'
import { jsonEqual } from '../pod/json-patch.ts'
import { isRecord } from '../pod/pod.ts'
import { mergeObject } from '../pod/strategic-merge.ts'

/** Keys by kind; those that are `asked for` are made only where an overlay speaks of them. */
const KINDS: Readonly<
  Record<string, { readonly key: string; readonly askedFor: boolean; readonly lists?: Readonly<Record<string, string>> }>
> = {
  Deployment: { key: 'deployment', askedFor: false },
  // Ports of containers merge by their number, those of Services by theirs.
  Service: { key: 'service', askedFor: false, lists: { ports: 'port' } },
  ServiceAccount: { key: 'serviceAccount', askedFor: false, lists: { secrets: 'name' } },
  HorizontalPodAutoscaler: { key: 'horizontalPodAutoscaler', askedFor: true },
  PodDisruptionBudget: { key: 'podDisruptionBudget', askedFor: true },
}
const KEYS = Object.values(KINDS).map(({ key }) => key)

/** An overlay's text longer than this is refused. */
const MAX_TEXT = 256 * 1024

/** Who an object is, which no overlay may change. */
const IDENTITY = ['name', 'generateName', 'namespace', 'uid', 'resourceVersion', 'ownerReferences', 'finalizers', 'managedFields'] as const

/**
 * The object with all overlays over it; undefined where it is one that has to be asked for and is not.
 *
 * @throws RangeError, with a text for users, where an overlay cannot be used
 */
export function withOverlays(object: KubeObject, overlays: readonly Readonly<Record<string, string>>[]): KubeObject | undefined {
  const sort = KINDS[object.kind]
  if (!sort) throw new RangeError(`a gateway's template makes a ${object.kind}; it may make ${Object.keys(KINDS).join(', ')}`)
  const texts = overlays.flatMap((overlay) => {
    const unknown = Object.keys(overlay).find((key) => !KEYS.includes(key))
    if (unknown !== undefined) throw new RangeError(`its key "${unknown}" is not supported; the keys are ${KEYS.join(', ')}`)
    return overlay[sort.key] ?? []
  })
  if (texts.length === 0) return sort.askedFor ? undefined : object
  const merged = texts.reduce<KubeObject>((base, text) => {
    // Merging over an object keeps what made it one: kind and identity are checked below.
    return mergeObject(base, readOverlay(sort.key, text), sort.lists ?? {}) as unknown as KubeObject
  }, object)
  const changed = IDENTITY.find((field) => !jsonEqual(Reflect.get(object.metadata, field), Reflect.get(Object(merged.metadata), field)))
  if (changed !== undefined) throw new RangeError(`its key "${sort.key}" changes metadata.${changed}, which stays as it is`)
  if (merged.kind !== object.kind || merged.apiVersion !== object.apiVersion)
    throw new RangeError(`its key "${sort.key}" makes a ${merged.apiVersion} ${merged.kind} of a ${object.apiVersion} ${object.kind}`)
  return merged
}

function readOverlay(key: string, text: string): Record<string, unknown> {
  if (text.length > MAX_TEXT) throw new RangeError(`its key "${key}" is ${text.length} characters long; at most ${MAX_TEXT} are accepted`)
  let overlay: unknown
  try {
    overlay = parseYaml(text, { maxAliasCount: 100 })
  } catch (error) {
    throw new RangeError(`its key "${key}" is no YAML: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`)
  }
  if (overlay === null || overlay === undefined) return {}
  if (!isRecord(overlay)) throw new RangeError(`its key "${key}" must hold a part of an object, such as "spec: {…}"`)
  return overlay
}
