/** Serves the kinds of CustomResourceDefinitions: names, conditions, and the objects' end when a definition goes. */
import { kindsOf } from '../crd/kinds.ts'
import { needsRules } from '../crd/rules.ts'
import type { Core } from '../handlers/core.ts'
import { at, copy, equal, list, metadata, now, type Obj, obj, objs, str } from '../values.ts'

const FINALIZER = 'customresourcecleanup.apiextensions.k8s.io'
const COLLECTION = 'apiextensions.k8s.io/customresourcedefinitions'

export class DefinitionController {
  readonly #core: Core
  readonly #end: () => void
  readonly #changed: () => void

  /** @param changed is called whenever kinds are served anew or no more */
  constructor(core: Core, changed: () => void) {
    this.#core = core
    this.#changed = changed
    const collection = core.store.collection(COLLECTION)
    for (const record of collection.list()) this.#serve(record.object)
    this.#end = collection.watch(core.store.revision, (event) => {
      if (event.type === 'DELETED') {
        core.registry.setCustom(event.record.name, [])
        this.#changed()
      } else this.#serve(event.record.object)
    })
  }

  #serve(crd: Obj): void {
    const name = str(at(crd, 'metadata', 'name'))
    const current = this.#core.store.collection(COLLECTION).get(name)
    if (!current || current.object !== crd) return
    if (at(crd, 'metadata', 'deletionTimestamp') !== undefined) {
      this.#cleanUp(name)
      return
    }
    const kinds = kindsOf(crd)
    const taken = this.#takenNames(name, crd)
    const status = obj(crd['status'])
    const spec = obj(crd['spec'])
    const accepted = taken === undefined
    const condition = (type: string, value: boolean, reason: string, message: string) => {
      const known = objs(status['conditions']).find((c) => c['type'] === type)
      const state = value ? 'True' : 'False'
      return { type, status: state, lastTransitionTime: known?.['status'] === state ? known['lastTransitionTime'] : now(), reason, message }
    }
    const next: Obj = {
      ...status,
      acceptedNames: accepted ? obj(spec['names']) : (status['acceptedNames'] ?? { plural: '', kind: '' }),
      conditions: [
        accepted
          ? condition('NamesAccepted', true, 'NoConflicts', 'no conflicts found')
          : condition('NamesAccepted', false, 'Conflict', taken),
        accepted
          ? condition('Established', true, 'InitialNamesAccepted', 'the initial names have been accepted')
          : condition('Established', false, 'NotAccepted', 'not all names are accepted'),
      ],
    }
    const finalizers = list(at(crd, 'metadata', 'finalizers'))
    // The kinds are there before the condition says so.
    if (accepted) {
      for (const version of objs(spec['versions'])) {
        const schema = at(version, 'schema', 'openAPIV3Schema')
        if (schema !== undefined) needsRules(obj(schema))
      }
      this.#core.registry.setCustom(name, kinds)
      this.#changed()
    }
    if (!equal(next, status) || !finalizers.includes(FINALIZER)) {
      const object = copy(crd)
      object['status'] = next
      metadata(object)['finalizers'] = [...finalizers.filter((f) => f !== FINALIZER), FINALIZER]
      this.#core.store.write(this.#core.store.collection(COLLECTION), object, current.revision)
    }
  }

  #takenNames(name: string, crd: Obj): string | undefined {
    const group = str(at(crd, 'spec', 'group'))
    const names = obj(at(crd, 'spec', 'names'))
    const others = this.#core.registry.all().filter((k) => k.group === group && k.custom?.name !== name)
    const all = (k: (typeof others)[number]) => [k.plural, k.singular, ...k.shortNames]
    for (const wanted of [str(names['plural']), str(names['singular']), ...list(names['shortNames']).map(str)]) {
      if (others.some((k) => all(k).includes(wanted))) return `"${wanted}" is already in use`
    }
    const kind = str(names['kind'])
    return others.some((k) => k.kind === kind || k.listKind === kind) ? `"${kind}" is already in use` : undefined
  }

  /** Deletes the objects; the definition goes once they are gone. */
  #cleanUp(name: string): void {
    const { store, registry } = this.#core
    const record = store.collection(COLLECTION).get(name)
    if (!record) return
    const group = str(at(record.object, 'spec', 'group'))
    const plural = str(at(record.object, 'spec', 'names', 'plural'))
    const objects = store.collection(`${group}/${plural}`)
    for (const item of objects.list()) {
      // Nobody can take finalizers off a kind that is no longer served.
      store.remove(objects, item)
    }
    registry.setCustom(name, [])
    this.#changed()
    const finalizers = list(at(record.object, 'metadata', 'finalizers')).filter((f) => f !== FINALIZER)
    const object = copy(record.object)
    if (finalizers.length > 0) {
      if (!list(at(record.object, 'metadata', 'finalizers')).includes(FINALIZER)) return
      metadata(object)['finalizers'] = finalizers
      store.write(store.collection(COLLECTION), object, record.revision)
      return
    }
    delete metadata(object)['finalizers']
    store.remove(store.collection(COLLECTION), { ...record, object })
  }

  stop(): void {
    this.#end()
  }
}
