/** `up`: a mesh on this machine, in the foreground or detached. */
import { setTimeout as delay } from 'node:timers/promises'
import { bringUp, type RunningMesh, UP_FLAGS } from '../../mesh/bring-up.ts'
import { isAlive } from '../../mesh/process-record.ts'
import { takeDown } from '../../mesh/take-down.ts'
import { command } from '../../shell/command.ts'
import { CommandError } from '../../shell/exit-codes.ts'

export const up = command<string>({
  endsItself: true,
  help: 'Starts a mesh on this machine: a Kubernetes-style API server, a node that runs pods as processes, the control plane and an ingress gateway. Stays in the foreground until Ctrl-C, which takes the mesh down; with --detach, returns when the mesh is ready.',
  flags: [{ name: 'detach', short: 'd', help: 'return when the mesh is ready' }, ...UP_FLAGS],
  examples: ['lateen up', 'lateen up --detach --gateway-port 9080', 'lateen up --home /srv/mesh-2'],
  async run(context) {
    const mesh = await bringUp(context)
    if (context.flags.on('detach')) return addresses(mesh)
    context.progress.note(`${addresses(mesh)}\n\nCtrl-C takes the mesh down.`)
    await untilEnded(mesh, context.signal)
    await takeDown(mesh.home, { purge: false, progress: context.progress })
    return ''
  },
  render: (text) => text,
})

/** What a user needs next, one address a line. */
export function addresses({ home, state, alreadyRunning }: RunningMesh): string {
  const { ports } = state
  const option = home.root === defaultHome() ? '' : ` --home ${home.root}`
  return [
    alreadyRunning ? 'the mesh runs already' : 'the mesh is ready',
    `  API server   https://127.0.0.1:${ports.api}`,
    `  gateway      http://127.0.0.1:${ports.http}   https://127.0.0.1:${ports.https}`,
    `  kubectl      export KUBECONFIG=${home.kubeconfig}`,
    `  next         lateen status${option}, lateen down${option}`,
  ].join('\n')
}

function defaultHome(): string {
  return process.env['LATEEN_HOME'] ?? `${process.env['HOME'] ?? ''}/.lateen`
}

async function untilEnded({ state }: RunningMesh, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (!isAlive(state.supervisor))
      throw new CommandError(
        'the supervisor has ended; the mesh is not watched any more. lateen up takes it over again, lateen down ends it',
      )
    await delay(500, undefined, { signal }).catch(() => undefined)
  }
}
