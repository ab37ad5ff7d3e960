/** Ends a mesh by what its home remembers, whatever half of it is still there. */
import { rmSync } from 'node:fs'
import { CommandError } from '../shell/exit-codes.ts'
import type { Progress } from '../shell/progress.ts'
import type { Home } from './home.ts'
import { end, isAlive, type ProcessRecord } from './process-record.ts'
import { type MeshState, readState } from './state.ts'

/** The supervisor ends the pods first, which takes some seconds. */
const SUPERVISOR_GRACE_MS = 25_000
const CLUSTER_GRACE_MS = 5_000
const NODE_GRACE_MS = 5_000

export interface TakeDownOptions {
  /** Objects, keys and logs too. */
  readonly purge: boolean
  readonly progress: Progress
}

/**
 * Resolves to whether there was anything to end.
 *
 * @throws CommandError naming the processes that would not end
 */
export async function takeDown(home: Home, { purge, progress }: TakeDownOptions): Promise<boolean> {
  const state = readState(home)
  const running = state ? livingParts(state) : []
  if (state && running.length > 0) {
    const step = progress.step('stopping the mesh')
    // The supervisor first: it would start again what is ended below it. It ends the others itself, in order.
    await end(state.supervisor, SUPERVISOR_GRACE_MS)
    const now = readState(home) ?? state
    if (now.cluster) await end(now.cluster, CLUSTER_GRACE_MS)
    if (now.node) await end(now.node, NODE_GRACE_MS)
    const left = livingParts(now)
    if (left.length > 0) {
      step.fail()
      throw new CommandError(
        `these processes would not end: ${left.map(({ pid }) => pid).join(', ')}; you may not have the right to end them`,
      )
    }
    step.done('the mesh is stopped')
  }
  rmSync(home.state, { force: true })
  if (purge)
    for (const path of [home.data, home.node, home.logs, home.kubeconfig, home.settings]) rmSync(path, { recursive: true, force: true })
  return running.length > 0
}

function livingParts({ supervisor, cluster, node }: MeshState): ProcessRecord[] {
  return [supervisor, cluster, node].filter((record) => record !== undefined).filter(isAlive)
}
