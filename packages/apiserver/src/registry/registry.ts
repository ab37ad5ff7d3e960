/** All served kinds: the built-in ones and those of the established CRDs. */

import { conversionOf } from '../kinds/conversions.ts'
import { strategyOf } from '../kinds/strategies.ts'
import { KIND_ROWS } from '../kinds/table.ts'
import { definition } from '../schema/builtin.ts'
import { ANY } from '../schema/schema.ts'
import { columnsOf } from '../table/columns.ts'
import { collectionName, groupVersion, type Kind } from './kind.ts'

export class Registry {
  readonly #byPath = new Map<string, Kind>()
  readonly #custom = new Map<string, readonly Kind[]>()
  /** Grows when the set of kinds changes: documents made from it are stale then. */
  generation = 0

  constructor() {
    for (const row of KIND_ROWS) {
      const { group, version, kind, plural, shortNames, categories, namespaced, countsGeneration, selectable } = row
      const convert = conversionOf(row.definition)
      this.#add({
        group,
        version,
        kind,
        plural,
        shortNames,
        categories,
        namespaced,
        countsGeneration,
        selectable,
        listKind: `${kind}List`,
        singular: kind.toLowerCase(),
        collection: row.sharedCollection ?? collectionName(group, plural),
        storageVersion: row.definition === 'autoscaling.v1.HorizontalPodAutoscaler' ? 'v2' : row.sharedCollection ? 'v1' : version,
        get schema() {
          return definition(row.definition) ?? ANY
        },
        subresources: new Set(row.subresources),
        hasStatus: row.subresources.includes('status'),
        strategy: strategyOf(row.definition),
        columns: columnsOf(row.definition),
        virtual: row.virtual,
        ...(convert ? { convert } : {}),
      })
    }
  }

  #add(kind: Kind): void {
    this.#byPath.set(`${groupVersion(kind)}/${kind.plural}`, kind)
  }

  /** The kind served at `group/version/plural`. */
  find(group: string, version: string, plural: string): Kind | undefined {
    return this.#byPath.get(`${group ? `${group}/` : ''}${version}/${plural}`)
  }

  findByKind(apiVersion: string, kind: string): Kind | undefined {
    for (const candidate of this.#byPath.values()) if (candidate.kind === kind && groupVersion(candidate) === apiVersion) return candidate
    return undefined
  }

  all(): Kind[] {
    return [...this.#byPath.values()]
  }

  /** The kind in which a collection's objects are stored. */
  stored(collection: string): Kind | undefined {
    for (const kind of this.#byPath.values()) if (kind.collection === collection && kind.version === kind.storageVersion) return kind
    for (const kind of this.#byPath.values()) if (kind.collection === collection) return kind
    return undefined
  }

  /** Replaces the kinds that a CRD serves; none removes them. */
  setCustom(crd: string, kinds: readonly Kind[]): void {
    for (const kind of this.#custom.get(crd) ?? []) this.#byPath.delete(`${groupVersion(kind)}/${kind.plural}`)
    if (kinds.length > 0) this.#custom.set(crd, kinds)
    else this.#custom.delete(crd)
    for (const kind of kinds) this.#add(kind)
    this.generation++
  }

  customKinds(): Kind[] {
    return [...this.#custom.values()].flat()
  }
}
