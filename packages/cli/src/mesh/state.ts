/** What the supervisor writes down about the mesh, for `status`, `down` and the next `up`. */
import { type Home, readJson, writeJson } from './home.ts'
import { isAlive, isProcessRecord, type ProcessRecord } from './process-record.ts'

export const PHASES = ['starting', 'ready', 'stopping', 'failed'] as const
export type Phase = (typeof PHASES)[number]

export interface Ports {
  readonly api: number
  readonly http: number
  readonly https: number
}

export interface MeshState {
  readonly phase: Phase
  /** What is being done, or why it failed: one sentence or several lines for the user. */
  readonly message: string
  readonly ports: Ports
  readonly supervisor: ProcessRecord
  /** First process of the node environment; ends it when it ends. */
  readonly node?: ProcessRecord | undefined
  readonly cluster?: ProcessRecord | undefined
  /** How often the cluster process was started again. */
  readonly restarts: number
  readonly envoy: string
  /** Pods reach networks outside this machine. */
  readonly internet?: boolean | undefined
  /** ISO time. */
  readonly startedAt: string
}

export function writeState(home: Home, state: MeshState): void {
  writeJson(home.state, state)
}

/** The last state; `undefined` when no mesh was started here, or its file is damaged. */
export function readState(home: Home): MeshState | undefined {
  const value = readJson(home.state)
  return isMeshState(value) ? value : undefined
}

/** Whether a supervisor is at work in this home. */
export function isSupervised(state: MeshState | undefined): boolean {
  return state !== undefined && isAlive(state.supervisor)
}

function isMeshState(value: unknown): value is MeshState {
  if (typeof value !== 'object' || value === null) return false
  return 'phase' in value && 'ports' in value && 'supervisor' in value && isProcessRecord(value.supervisor)
}
