/** A real Envoy that serves on loopback for the time of a test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

export interface RunningEnvoy {
  /** Ports of the listeners, by name; listeners bind port 0 to get a free one. */
  readonly ports: ReadonlyMap<string, number>
  stop(): Promise<void>
}

const READY_WITHIN_MS = 15_000
const LOOK_EVERY_MS = 25

/**
 * Starts Envoy with a bootstrap (without `admin`, which is added) and resolves when its listeners serve.
 *
 * @throws Error with what Envoy said when it ends or does not become ready
 */
export async function runEnvoy(envoy: string, bootstrap: Readonly<Record<string, unknown>>): Promise<RunningEnvoy> {
  const folder = mkdtempSync(join(tmpdir(), 'lateen-envoy-'))
  const file = join(folder, 'bootstrap.json')
  const adminFile = join(folder, 'admin')
  const admin = { address: { socketAddress: { address: '127.0.0.1', portValue: 0 } } }
  writeFileSync(file, JSON.stringify({ ...bootstrap, admin }))
  const args = [
    '-c',
    file,
    '--admin-address-path',
    adminFile,
    '--disable-hot-restart',
    '--concurrency',
    '1',
    '--file-flush-interval-msec',
    '50',
    '-l',
    'warning',
  ]
  const child = spawn(envoy, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-20_000)
  })
  const stop = async () => {
    await ended(child)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    return { ports: await readyPorts(child, adminFile), stop }
  } catch (error) {
    await stop()
    throw new Error(`Envoy did not become ready: ${error instanceof Error ? error.message : String(error)}\n${said}`, { cause: error })
  }
}

async function readyPorts(child: ChildProcess, adminFile: string): Promise<ReadonlyMap<string, number>> {
  const until = performance.now() + READY_WITHIN_MS
  while (performance.now() < until) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`)
    const address = existsSync(adminFile) ? readFileSync(adminFile, 'utf8').trim() : ''
    const ready = address !== '' && (await fetch(`http://${address}/ready`).catch(() => undefined))
    if (ready && ready.status === 200) return listenerPorts(address)
    await pause(LOOK_EVERY_MS)
  }
  throw new Error(`not within ${READY_WITHIN_MS} ms`)
}

interface ListenerStatus {
  readonly name: string
  readonly local_address?: { readonly socket_address?: { readonly port_value?: number } }
}

async function listenerPorts(address: string): Promise<ReadonlyMap<string, number>> {
  const answer = (await (await fetch(`http://${address}/listeners?format=json`)).json()) as { listener_statuses?: ListenerStatus[] }
  return new Map((answer.listener_statuses ?? []).map((status) => [status.name, status.local_address?.socket_address?.port_value ?? 0]))
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exit
}
