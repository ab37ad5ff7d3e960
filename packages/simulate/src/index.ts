/** A call walked through generated listeners, routes and clusters. */
export type { Call, ClientTls, Failure, Outcome, Protocol } from './call.ts'
export { type Configuration, configurationOf } from './configuration.ts'
export { decideRbac, type RbacSubject, type RbacVerdict } from './filters/rbac.ts'
export { policyOrigins } from './filters/rbac-filter.ts'
export type { HttpRequest } from './matching/request.ts'
export { CallError, readCalls } from './read-calls.ts'
export { simulate } from './simulate.ts'
export type { TraceCall } from './trace/call.ts'
export { type Origin, objectOf, originsOf, type ServiceRef, servicesOf } from './trace/origin.ts'
export type {
  AskedPolicies,
  End,
  FilterVerdict,
  ForwardedRequest,
  ForwardPolicy,
  HeaderChange,
  PathOutcome,
  TakenRoute,
  Trace,
} from './trace/outcome.ts'
export { trace } from './trace/trace.ts'
export { type Upstream, type UpstreamEndpoint, upstreamOf } from './trace/upstream.ts'
