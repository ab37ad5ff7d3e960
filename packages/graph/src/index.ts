/** Incremental computation with automatic dependency tracking. */
export { CycleError } from './cells.ts'
export { equal } from './equal.ts'
export { type Compute, type Context, Family, type FamilyKey, Graph, type Interned, type Watch } from './graph.ts'
export { type Indexes, type IndexFunction, Source } from './source.ts'
