/** Runs a program to its end and says what came out; never rejects because of an exit code. */
import { spawn } from 'node:child_process'

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** Both, in the order in which they came. */
  readonly output: string
}

export interface RunOptions {
  readonly stdin?: string
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly timeoutMs?: number
}

const DEFAULT_TIMEOUT_MS = 60_000

export function run(
  command: string,
  args: readonly string[],
  { stdin, env, cwd, timeoutMs = DEFAULT_TIMEOUT_MS }: RunOptions = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: env ?? process.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    })
    let stdout = ''
    let stderr = ''
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk
      output += chunk
    })
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk
      output += chunk
    })
    // A program that ends without reading its input is no error of ours.
    child.stdin.on('error', () => undefined)
    child.stdin.end(stdin ?? '')
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code: code ?? 128, stdout, stderr: signal ? `${stderr}\n(${signal})` : stderr, output }))
  })
}

/** Like {@link run}, for what must succeed. @throws Error with everything the program said */
export async function must(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, output } = await run(command, args, options)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${output.slice(-4000)}`)
  return stdout
}
