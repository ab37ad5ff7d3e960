/** Analysis: what is wrong between objects, and with each of them. */
export { type Analysis, type AnalyzeOptions, analyze, type Finding, isAtLeast } from './analyze.ts'
export type { Analyzer, Input, MeshResource, Report } from './analyzer.ts'
export { externalWebhookHosts } from './analyzers/external-control-plane/external-control-plane.ts'
export { defaultResources } from './default-resources.ts'
export { isIstioKind, KIND_TYPES, type KindName, kindNameOf, RUNTIME_KINDS } from './kinds.ts'
export { documentationUrl, isMessageCode, MESSAGES, type MessageName } from './messages/messages.ts'
export { isUnreadable, type ReadProblem, readProblems } from './read-problems.ts'
export { ANALYZERS, analyzersNamed, inputKinds, OPTIONAL_ANALYZERS } from './registry.ts'
export {
  type AnyResource,
  diagnosticsOf,
  friendlyName,
  fullName,
  type Origin,
  type ReadOptions,
  type Resource,
  readResource,
} from './resource.ts'
export { type Selection, type Suppression, selectFindings } from './select-findings.ts'
export { isSystemNamespace } from './system-namespaces.ts'
export { DEFAULT_SETTINGS, type Settings, World } from './world.ts'
