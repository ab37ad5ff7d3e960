/** Configuration: where it comes from, and how its state is written back. */
export { aggregate } from './aggregate.ts'
export { changeKey, type ConfigChange, type ConfigSink, type ConfigSource, type SourceStatus } from './change.ts'
export * from './kinds.ts'
export { type KubeSource, type KubeSourceOptions, kubeSource } from './kube-source.ts'
export { type MemorySource, memorySource } from './memory-source.ts'
export { type LabelSelector, matchesSelector, selectsNamespace } from './namespace-filter.ts'
export type { Projection } from './projections.ts'
