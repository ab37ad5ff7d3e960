/** What all dashboards do: a port of this machine that leads into a pod, its URL, a browser, until Ctrl-C. */
import { spawn } from 'node:child_process'
import { type Cluster, connect } from '../../cluster/connect.ts'
import { forwardLocally } from '../../cluster/pod-ports.ts'
import type { Context, Flag } from '../../shell/command.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'

export const DASHBOARD_FLAGS: readonly Flag[] = [
  { name: 'address', value: 'ADDRESS', default: 'localhost', help: 'address of this machine to listen on' },
  { name: 'browser', default: true, help: 'opens a browser; with --browser=false only says where to look' },
  { name: 'port', short: 'p', value: 'PORT', type: 'integer', help: "port of this machine (default: the dashboard's own, else any)" },
  ...KUBE_FLAGS,
]

export interface Dashboard {
  readonly namespace: string
  readonly pod: string
  /** In the pod. */
  readonly port: number
  /** Of the first page; with the slash. */
  readonly path: string
}

/** Says the URL, then keeps the port until the user ends the command or the pod goes. @param find where it is, in the cluster of the flags */
export async function* openDashboard(context: Context, find: (cluster: Cluster) => Promise<Dashboard>): AsyncGenerator<string> {
  const cluster = connect(context)
  try {
    // Ctrl-C does not wait for an API server that says nothing.
    const found = await Promise.race([find(cluster), aborted(context.signal)])
    if (found) yield* forwarded(cluster, context, found)
  } finally {
    cluster.client.close()
  }
}

async function* forwarded(cluster: Cluster, context: Context, dashboard: Dashboard): AsyncGenerator<string> {
  const { flags, signal, progress } = context
  const { namespace, pod, port } = dashboard
  const local = await forwardLocally(
    cluster,
    { namespace, pod, port },
    { address: flags.text('address') ?? 'localhost', choices: portChoices(flags, port), note: (text) => progress.note(text) },
  )
  try {
    yield* announce(context, urlOf(local.address, local.port, dashboard.path))
    await Promise.race([local.closed, aborted(signal)])
  } finally {
    local.close()
  }
  if (!signal.aborted)
    throw new CommandError(`the connection to pod ${pod}.${namespace} has ended: the pod is gone, or the API server closed it`)
}

export const urlOf = (address: string, port: number, path: string): string =>
  `http://${address.includes(':') ? `[${address}]` : address}:${port}${path}`

/** `--port` alone when it is given; else the dashboard's own port, or any when that is taken. */
export function portChoices(flags: Context['flags'], own: number): readonly number[] {
  const given = flags.integer('port')
  return given ? [given] : [own, 0]
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

export async function* announce({ flags }: Pick<Context, 'flags'>, url: string): AsyncGenerator<string> {
  yield `${url}\n`
  if (!flags.on('browser')) {
    yield 'skipping opening a browser\n'
    return
  }
  if (!(await openBrowser(url))) yield `no browser was opened; open ${url} in yours\n`
}

function openBrowser(url: string): Promise<boolean> {
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open'
  return new Promise((resolve) => {
    const child = spawn(opener, [url], { stdio: 'ignore', detached: true })
    child.once('error', () => resolve(false))
    child.once('spawn', () => {
      child.unref()
      resolve(true)
    })
  })
}
