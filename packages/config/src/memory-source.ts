/** Objects that the program itself makes, and those of tests. */
import type { KubeObject } from '@lateen/api'
import { type ConfigChange, type ConfigSink, type ConfigSource, changeKey } from './change.ts'

export interface MemorySource extends ConfigSource {
  apply(changes: readonly ConfigChange[]): void
  set(...objects: readonly KubeObject[]): void
  delete(...objects: readonly KubeObject[]): void
}

/** A source that holds what it is given; what was given before the start is told at the start. */
export function memorySource(name = 'memory', initial: readonly KubeObject[] = []): MemorySource {
  const objects = new Map(initial.map((object) => [changeKey(object), object]))
  let sink: ConfigSink | undefined
  const apply = (changes: readonly ConfigChange[]) => {
    for (const { operation, object } of changes) {
      if (operation === 'set') objects.set(changeKey(object), object)
      else objects.delete(changeKey(object))
    }
    sink?.(changes)
  }
  return {
    apply,
    set: (...given) => apply(given.map((object) => ({ operation: 'set', object }))),
    delete: (...given) => apply(given.map((object) => ({ operation: 'delete', object }))),
    start: (to) => {
      sink = to
      if (objects.size > 0) to([...objects.values()].map((object) => ({ operation: 'set', object })))
    },
    synced: Promise.resolve(),
    status: () => [{ name, state: sink ? 'watching' : 'stopped', objects: objects.size }],
    objects: () => objects.values(),
    stop: () => {
      sink = undefined
    },
  }
}
