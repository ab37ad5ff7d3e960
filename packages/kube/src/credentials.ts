/**
 * Who the client is towards the API server: static, from a file that is rotated, or from an exec plugin.
 *
 * Enters: the `user` part of a kubeconfig, or the in-cluster token. Leaves: credentials, asked for before each request and cached.
 */
import { spawn } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { KubeConfigError } from './errors.ts'

export interface Credentials {
  readonly token?: string
  readonly basic?: { readonly username: string; readonly password: string }
  /** PEM client certificate chain and key. */
  readonly certificate?: { readonly cert: string; readonly key: string }
}

export interface CredentialSource {
  /** What to send now; the same object as long as nothing changed. */
  current(): Promise<Credentials>
  /** The server answered 401: the next `current` asks again instead of using what is cached. */
  invalidate(): void
}

export function staticCredentials(credentials: Credentials): CredentialSource {
  return { current: () => Promise.resolve(credentials), invalidate: () => undefined }
}

/** How long a token file is taken to be unchanged without looking. */
const FILE_CHECK_MS = 2_000

/** A bearer token in a file that something else rotates: read again when the file changes. */
export function tokenFileCredentials(path: string): CredentialSource {
  let checkedAt = Number.NEGATIVE_INFINITY
  let signature = ''
  let credentials: Credentials | undefined
  const read = (): Credentials => {
    const now = performance.now()
    if (credentials && now - checkedAt < FILE_CHECK_MS) return credentials
    try {
      // Kubelet swaps a symbolic link, so the inode changes with each rotation.
      const { mtimeMs, ino, size } = statSync(path)
      const seen = `${ino}:${mtimeMs}:${size}`
      if (!credentials || seen !== signature) credentials = { token: readFileSync(path, 'utf8').trim() }
      signature = seen
    } catch (cause) {
      if (!credentials) throw new KubeConfigError(`the token file ${path} cannot be read: ${textOf(cause)}`, { cause })
    }
    checkedAt = now
    return credentials
  }
  return {
    current: async () => read(),
    invalidate: () => {
      checkedAt = Number.NEGATIVE_INFINITY
    },
  }
}

export interface ExecPlugin {
  readonly apiVersion: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly installHint?: string
  /** The cluster, told to the plugin when `provideClusterInfo` is set. */
  readonly cluster?: Readonly<Record<string, unknown>>
  /** Whether it may, or must, ask the user. */
  readonly interactiveMode: InteractiveMode
}

export const INTERACTIVE_MODES = ['Never', 'IfAvailable', 'Always'] as const
export type InteractiveMode = (typeof INTERACTIVE_MODES)[number]

const EXEC_TIMEOUT_MS = 60_000
/** People log in slower than programs. */
const LOGIN_TIMEOUT_MS = 600_000
const EXEC_MAX_OUTPUT = 1 << 20
const EXEC_MAX_ERROR = 500

/** Credentials from a client-go exec plugin: run when there are none, when they expire, and after a 401. */
export function execCredentials(plugin: ExecPlugin, environment: NodeJS.ProcessEnv): CredentialSource {
  let cached: { credentials: Credentials; expires: number } | undefined
  let running: Promise<Credentials> | undefined
  const refresh = async (): Promise<Credentials> => {
    const text = await runPlugin(plugin, environment)
    cached = parseExecCredential(text, plugin.command)
    return cached.credentials
  }
  return {
    current: () => {
      if (cached && Date.now() < cached.expires) return Promise.resolve(cached.credentials)
      running ??= refresh().finally(() => {
        running = undefined
      })
      return running
    },
    invalidate: () => {
      cached = undefined
    },
  }
}

function runPlugin(plugin: ExecPlugin, environment: NodeJS.ProcessEnv): Promise<string> {
  const { command, interactiveMode } = plugin
  const interactive = interactiveMode !== 'Never' && process.stdin.isTTY === true
  if (interactiveMode === 'Always' && !interactive) {
    throw new KubeConfigError(
      `the credential plugin ${command} asks questions (interactiveMode: Always), and there is no terminal to answer on`,
    )
  }
  const info = {
    apiVersion: plugin.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive, ...(plugin.cluster ? { cluster: plugin.cluster } : {}) },
  }
  const env = { ...environment, ...plugin.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) }
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...plugin.args], {
      env,
      stdio: [interactive ? 'inherit' : 'ignore', 'pipe', 'pipe'],
    })
    const stop = () => {
      child.kill('SIGKILL')
      // What it started may hold them open for longer than it lives.
      child.stdout.destroy()
      child.stderr.destroy()
    }
    const timeoutMs = interactive ? LOGIN_TIMEOUT_MS : EXEC_TIMEOUT_MS
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      stop()
    }, timeoutMs)
    const output: Buffer[] = []
    let size = 0
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > EXEC_MAX_OUTPUT) stop()
      else output.push(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      // It may say where to log in: not later than it does.
      if (interactive) process.stderr.write(chunk)
      else if (said.length < EXEC_MAX_ERROR) said += chunk.toString('utf8')
    })
    const fail = (why: string, cause?: Error) => {
      const hint = plugin.installHint ? `\n${plugin.installHint}` : ''
      reject(
        new KubeConfigError(`the credential plugin ${command} failed: ${said.trim().slice(0, EXEC_MAX_ERROR) || why}${hint}`, { cause }),
      )
    }
    child.once('error', (cause) => {
      clearTimeout(timer)
      fail(cause.message, cause)
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      if (size > EXEC_MAX_OUTPUT) fail(`it wrote more than ${EXEC_MAX_OUTPUT} bytes`)
      else if (isLate) fail(`it did not end within ${timeoutMs / 1000} s`)
      else if (code === 0) resolve(Buffer.concat(output).toString('utf8'))
      else fail(signal ? `it was ended by ${signal}` : `exit code ${code}`)
    })
  })
}

function parseExecCredential(text: string, command: string): { credentials: Credentials; expires: number } {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (cause) {
    throw new KubeConfigError(`the credential plugin ${command} wrote no JSON; it must write an ExecCredential object`, { cause })
  }
  const status = record(record(document)?.status)
  const token = string(status?.token)
  const cert = string(status?.clientCertificateData)
  const key = string(status?.clientKeyData)
  if (!token && !(cert && key)) {
    throw new KubeConfigError(
      `the credential plugin ${command} gave neither status.token nor status.clientCertificateData with status.clientKeyData`,
    )
  }
  const expiry = Date.parse(string(status?.expirationTimestamp) ?? '')
  return {
    credentials: { ...(token ? { token } : {}), ...(cert && key ? { certificate: { cert, key } } : {}) },
    // A little early, so that a request on its way does not arrive with a stale token.
    expires: Number.isNaN(expiry) ? Number.POSITIVE_INFINITY : expiry - 10_000,
  }
}

const record = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : undefined
const string = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
