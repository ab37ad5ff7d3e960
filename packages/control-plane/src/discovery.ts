/** `pilot-discovery discovery`: reads flags and environment, runs the control plane until it is told to end. */
import { createWriteStream } from 'node:fs'
import { logger, setLogJson, setLogLevels, setLogSink } from '@lateen/base'
import { limitProcessTls } from '@lateen/base/node-tls'
import { CaError } from '@lateen/ca'
import { KubeConfigError } from '@lateen/kube'
import { type ControlPlane, startControlPlane } from './control-plane.ts'
import { ListenError } from './http/http-server.ts'
import { MeshConfigError } from './mesh-config/mesh-documents.ts'
import { type DiscoveryOptions, readOptions } from './options/discovery-options.ts'
import { flagHelp, UsageError } from './options/flags.ts'
import { tuneProcess } from './tuned-process.ts'

const log = logger('discovery')

/** Exit codes, as istioctl's. */
const EXIT = { ok: 0, failed: 1, usage: 64, badInput: 65 } as const

/**
 * Runs until SIGTERM or SIGINT; resolves with the exit code.
 *
 * @param argv what follows `discovery` on the command line
 */
export async function runDiscovery(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  let options: DiscoveryOptions
  try {
    options = readOptions(argv, env)
    if (options.help) {
      process.stdout.write(flagHelp())
      return EXIT.ok
    }
    tuneProcess(env)
    if (options.tls.policy) limitProcessTls(options.tls.policy)
    openLog(options.log)
  } catch (error) {
    return complain(error)
  }
  const stop = stopSignal()
  let plane: ControlPlane | undefined
  try {
    plane = await startControlPlane(options, stop.signal)
    await stop.received
    log.info('shutting down', { signal: stop.name() })
    await plane.close()
    return EXIT.ok
  } catch (error) {
    return complain(error)
  } finally {
    stop.dispose()
  }
}

function openLog({ levels, json, targets }: DiscoveryOptions['log']): void {
  if (levels) setLogLevels(levels)
  setLogJson(json)
  const sinks = targets.map((target) => {
    if (target === 'stdout') return process.stdout
    if (target === 'stderr') return process.stderr
    return createWriteStream(target, { flags: 'a' }).on('error', (error) =>
      process.stderr.write(`cannot write the log to ${target}: ${error.message}\n`),
    )
  })
  setLogSink((line) => {
    for (const sink of sinks) sink.write(line)
  })
}

/** Two signals are enough: after the second the process ends as signals end processes. */
function stopSignal(): { signal: AbortSignal; received: Promise<void>; name: () => string; dispose: () => void } {
  const abort = new AbortController()
  let name = ''
  const listener = (signal: string) => {
    name = signal
    abort.abort()
  }
  process.once('SIGTERM', listener)
  process.once('SIGINT', listener)
  return {
    signal: abort.signal,
    received: new Promise((resolve) => abort.signal.addEventListener('abort', () => resolve(), { once: true })),
    name: () => name,
    dispose: () => {
      process.off('SIGTERM', listener)
      process.off('SIGINT', listener)
    },
  }
}

/** Says what is wrong in one message; only a bug of ours shows a stack. */
function complain(error: unknown): number {
  if (error instanceof UsageError) {
    process.stderr.write(`Error: ${error.message}\n`)
    return EXIT.usage
  }
  const isExpected =
    error instanceof KubeConfigError || error instanceof MeshConfigError || error instanceof CaError || error instanceof ListenError
  const text = error instanceof Error ? (isExpected ? error.message : (error.stack ?? error.message)) : String(error)
  process.stderr.write(`Error: ${text}\n`)
  return error instanceof MeshConfigError || error instanceof CaError ? EXIT.badInput : EXIT.failed
}
