/** What is remembered on disk of a pod and its containers, so that a restarted agent finds them again. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { ContainerState } from '../kube/pod.ts'
import type { ProcessId } from './process-table.ts'

export interface ContainerRecord {
  /** Counts starts from 0; the log of start n is `n.log`. */
  attempt: number
  restartCount: number
  shim?: ProcessId
  startedAt?: string
  /** How the current or last start ended. */
  terminated?: NonNullable<ContainerState['terminated']>
  last?: NonNullable<ContainerState['terminated']>
  started: boolean
  ready: boolean
  imageName?: string
  env?: Record<string, string>
}

export interface PodRecord {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  address: string
  startTime: string
  initialized: boolean
  readonly containers: Record<string, ContainerRecord>
}

export function newContainerRecord(): ContainerRecord {
  return { attempt: -1, restartCount: 0, started: false, ready: false }
}

export function loadPodRecord(file: string): PodRecord | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return isPodRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

export function savePodRecord(file: string, record: PodRecord): void {
  writeFileSync(`${file}.new`, JSON.stringify(record), { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/** Only this program writes the file; the check is against a file cut short by a full disk. */
function isPodRecord(value: unknown): value is PodRecord {
  if (typeof value !== 'object' || value === null || !('containers' in value) || !('address' in value) || !('uid' in value)) return false
  return (
    typeof value.containers === 'object' && value.containers !== null && typeof value.address === 'string' && typeof value.uid === 'string'
  )
}
