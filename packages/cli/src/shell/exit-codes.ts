/** Exit codes, as istioctl's. */
export const EXIT = {
  ok: 0,
  /** Something went wrong that is none of the others. */
  failure: 1,
  /** Wrong usage: an unknown command or flag, a flag without its value. */
  usage: 64,
  /** Bad input data: a file that cannot be read or understood. */
  data: 65,
  /** The analysis found issues. */
  findings: 79,
  /** Ctrl-C, or a signal that asks to end, came first; shells say it so. */
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** An error whose message is meant for the user, with the exit code that the shell is to return. */
export class CommandError extends Error {
  readonly exitCode: ExitCode

  constructor(message: string, options: { readonly exitCode?: ExitCode; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'CommandError'
    this.exitCode = options.exitCode ?? EXIT.failure
  }
}
