/** Objects as a `meta.k8s.io/v1 Table`, which kubectl prints. */
import type { Kind } from '../registry/kind.ts'
import { type Obj, obj } from '../values.ts'

/** How much of an object goes with its row. */
export type IncludeObject = 'None' | 'Metadata' | 'Object'

/** @param objects in their stored form; `shown` gives the form asked for */
export function makeTable(
  kind: Kind,
  objects: readonly Obj[],
  shown: (object: Obj) => Obj,
  include: IncludeObject,
  listMeta: Obj,
  withColumns = true,
): Obj {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: listMeta,
    columnDefinitions: withColumns
      ? kind.columns.map((c) => ({
          name: c.name,
          type: c.type,
          format: c.format ?? '',
          description: c.description ?? '',
          priority: c.priority,
        }))
      : null,
    rows: objects.map((object) => row(kind, object, shown, include)),
  }
}

function row(kind: Kind, object: Obj, shown: (object: Obj) => Obj, include: IncludeObject): Obj {
  const full = shown(object)
  return {
    cells: kind.columns.map((c) => c.cell(object) ?? null),
    ...(include === 'None'
      ? {}
      : include === 'Object'
        ? { object: full }
        : { object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: obj(full['metadata']) } }),
  }
}

/** An object without all but its metadata. */
export function partial(object: Obj): Obj {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: obj(object['metadata']) }
}
