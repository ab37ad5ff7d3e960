/** Files that would be applied, or deleted, as changes of a mesh: what the API server would add is added here too. */
import { type KubeObject, refOf } from '@lateen/api'
import { objectName } from '@lateen/base'
import type { ConfigChange } from '@lateen/translate'
import { fields } from '../../config-dump/fields.ts'

export interface Change {
  readonly forth: readonly ConfigChange[]
  /** Undoes `forth`. */
  readonly back: readonly ConfigChange[]
}

export const idOf = (object: KubeObject): string => `${object.apiVersion.split('/')[0]} ${objectName(refOf(object))}`

/** @param isDeletion the objects would be deleted, not applied */
export function changeOf(objects: readonly KubeObject[], held: readonly KubeObject[], isDeletion: boolean): Change {
  const known = new Map(held.map((object) => [idOf(object), object]))
  const forth = objects.map((object, index): ConfigChange => {
    const old = known.get(idOf(object))
    return isDeletion ? { operation: 'delete', object: old ?? object } : { operation: 'set', object: completed(object, old, index) }
  })
  const back = objects.map((object): ConfigChange => {
    const old = known.get(idOf(object))
    return old ? { operation: 'set', object: old } : { operation: 'delete', object }
  })
  return { forth, back }
}

/** A Service keeps its addresses; a new one gets one of a range that is for documentation. */
function completed(object: KubeObject, old: KubeObject | undefined, index: number): KubeObject {
  if (object.kind !== 'Service' || object.apiVersion !== 'v1') return object
  const spec = fields(object.spec)
  if (spec['clusterIP'] !== undefined || spec['type'] === 'ExternalName') return object
  const was = fields(old?.spec)
  const address = was['clusterIP'] ?? `203.0.113.${(index % 254) + 1}`
  return { ...object, spec: { ...spec, clusterIP: address, clusterIPs: was['clusterIPs'] ?? [address] } }
}
