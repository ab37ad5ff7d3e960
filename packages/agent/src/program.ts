/** What a command of the agent needs of the program around it. */

export interface ProgramIo {
  /** The folder that relative paths start from. */
  readonly cwd: string
  readonly stdout: (text: string) => void
  readonly stderr: (text: string) => void
  /** Calls back for each SIGTERM and SIGINT; returns how to stop that. */
  readonly onSignal: (listener: (signal: NodeJS.Signals) => void) => () => void
}

/** Exit codes, as istioctl's. */
export const EXIT = { ok: 0, failed: 1, usage: 64 } as const

/** This process. */
export function processIo(): ProgramIo {
  return {
    cwd: process.cwd(),
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    onSignal: (listener) => {
      const signals = ['SIGTERM', 'SIGINT'] as const
      for (const signal of signals) process.on(signal, listener)
      return () => {
        for (const signal of signals) process.off(signal, listener)
      }
    },
  }
}
