export { addressBlock } from './address-block.ts'
export {
  ConnectionGuard,
  type ConnectionLimits,
  countsOnly,
  type Ending,
  GuardedConnection,
  type GuardedSocket,
  peerOf,
} from './connection-guard.ts'
export { refusalLog, type TellRefusal } from './refusals.ts'
