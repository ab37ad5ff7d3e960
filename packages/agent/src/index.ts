/** The agent beside each Envoy: `proxy`, `wait` and `request` of `pilot-agent`. */
export { EXIT, type ProgramIo, processIo } from './program.ts'
export { runProxy } from './proxy.ts'
export { runRequest } from './request.ts'
export type { Environment } from './settings/environment.ts'
export { runWait } from './wait.ts'
