/** How a kind of Istio's API is defined: its names, versions, columns and the message of its `spec`. */
import type { MessageNode } from '../schema/node.ts'

export interface KindVersion {
  readonly name: string
  readonly served: boolean
  readonly storage: boolean
}

/** A column that `kubectl get` prints. */
export interface PrinterColumn {
  readonly name: string
  readonly type: 'string' | 'date' | 'integer'
  readonly jsonPath: string
  readonly description: string
}

export interface Kind {
  readonly group: string
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly namespaced: true
  /** The first is the one in which objects are read and printed. */
  readonly versions: readonly KindVersion[]
  readonly columns: readonly PrinterColumn[]
  readonly description: string
  readonly spec: MessageNode
  /** Whether an object without `spec` is refused. */
  readonly specRequired: boolean
}

type Given = Pick<Kind, 'group' | 'kind' | 'plural' | 'versions' | 'description'> & {
  readonly shortNames?: readonly string[]
  readonly columns?: readonly PrinterColumn[]
  readonly spec: { readonly node: MessageNode }
  readonly specRequired?: boolean
}

/** Fills in what follows from the rest. */
export function defineKind(given: Given): Kind {
  return {
    ...given,
    singular: given.kind.toLowerCase(),
    shortNames: given.shortNames ?? [],
    categories: ['istio-io', `${given.group.replace('.istio.io', '')}-istio-io`],
    namespaced: true,
    columns: given.columns ?? [],
    spec: given.spec.node,
    specRequired: given.specRequired ?? false,
  }
}

/** Versions of a kind whose newest is stored. */
export function versions(stored: string, ...older: string[]): KindVersion[] {
  return [{ name: stored, served: true, storage: true }, ...older.map((name) => ({ name, served: true, storage: false }))]
}

export const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'When the object was made.',
}

export function column(name: string, jsonPath: string, description: string): PrinterColumn {
  return { name, type: 'string', jsonPath, description }
}
