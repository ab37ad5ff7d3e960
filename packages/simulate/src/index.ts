/** A call walked through generated listeners, routes and clusters. */
export type { Call, ClientTls, Failure, Outcome, Protocol } from './call.ts'
export { type Configuration, configurationOf } from './configuration.ts'
export { CallError, readCalls } from './read-calls.ts'
export { simulate } from './simulate.ts'
