/** Several sources as one. */
import type { KubeObject } from '@lateen/api'
import { type ConfigChange, type ConfigSink, type ConfigSource, changeKey } from './change.ts'

/**
 * Joins sources. An object that several of them have is taken from the first in the list; when that one drops it, the next one's
 * shows. `synced` resolves when all have synced.
 */
export function aggregate(sources: readonly ConfigSource[]): ConfigSource {
  const [only] = sources
  if (only && sources.length === 1) return only
  const layers = sources.map(() => new Map<string, KubeObject>())
  const topmost = (key: string): KubeObject | undefined => {
    for (const layer of layers) {
      const object = layer.get(key)
      if (object) return object
    }
    return undefined
  }
  const through = (layer: Map<string, KubeObject>, changes: readonly ConfigChange[]): ConfigChange[] =>
    changes.flatMap(({ operation, object }): ConfigChange[] => {
      const key = changeKey(object)
      const before = topmost(key)
      if (operation === 'set') layer.set(key, object)
      else layer.delete(key)
      const after = topmost(key)
      if (after === before) return []
      return after ? [{ operation: 'set', object: after }] : [{ operation: 'delete', object }]
    })
  return {
    start: (sink: ConfigSink) => {
      for (const [i, source] of sources.entries()) {
        const layer = layers[i] ?? new Map<string, KubeObject>()
        source.start((changes) => {
          const visible = through(layer, changes)
          if (visible.length > 0) sink(visible)
        })
      }
    },
    synced: Promise.all(sources.map((source) => source.synced)).then(() => undefined),
    status: () => sources.flatMap((source) => [...source.status()]),
    objects: () => new Map([...layers].reverse().flatMap((layer) => [...layer])).values(),
    stop: () => {
      for (const source of sources) source.stop()
    },
  }
}
