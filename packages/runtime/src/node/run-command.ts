/** Runs a system tool to its end, with its input and a time limit. */
import { spawn } from 'node:child_process'

export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly code = 'COMMAND'
}

export interface CommandOptions {
  readonly input?: string
  /** Milliseconds. Default 15,000. */
  readonly timeout?: number
}

const MAX_OUTPUT = 1 << 20

/**
 * The standard output of a command.
 *
 * @throws CommandError with what the command said on standard error
 */
export function runCommand(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: options.timeout ?? 15_000, killSignal: 'SIGKILL' })
    let output = ''
    let problem = ''
    child.stdout.on('data', (chunk: Buffer) => {
      if (output.length < MAX_OUTPUT) output += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      if (problem.length < 4096) problem += chunk.toString()
    })
    child.on('error', (error) => reject(new CommandError(`cannot run ${command}: ${error.message}`, { cause: error })))
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output)
      else
        reject(
          new CommandError(
            `${command} ${args.slice(0, 3).join(' ')}: ${problem.trim() || (signal ? `ended by ${signal}` : `exit code ${code}`)}`,
          ),
        )
    })
    // A command that ends before it has read its input tells why by its exit code.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
  })
}
