/**
 * The program `lateen`: looks at the first word, loads the one package that owns it, and runs that.
 *
 * Also answers to `pilot-agent` and `pilot-discovery`, whose arguments are the same.
 */
import { enableCompileCache } from 'node:module'
import { runProgram } from './dispatch.ts'

// Saves compiling the same chunk at every start; where the folder cannot be written, nothing changes.
enableCompileCache()

// A reader that has seen enough (`| head`) is no fault: there is nobody left to write to.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
}

const code = await runProgram(process.argv.slice(2), process.env)

/** What was written to a pipe is only on its way; an exit would cut it off. A reader that has gone waits for nothing. */
const flushed = (stream: NodeJS.WriteStream): Promise<void> => new Promise((resolve) => stream.write('', () => resolve()))

await Promise.all([flushed(process.stdout), flushed(process.stderr)])
// A program that has come to its end is not kept by a connection or timer that it forgot.
process.exit(code)
