/** What one command is: data that yields parsing, help and completion, and a function from a context to a result. */
import type { ExitCode } from './exit-codes.ts'
import type { Progress } from './progress.ts'
import type { Foreign, Tree } from './tree.ts'

export interface Flag {
  /** Without the dashes: `api-port`. */
  readonly name: string
  readonly short?: string
  readonly help: string
  /** What the value is called in help; a flag without it is a switch, which also takes `=true` and `=false`. */
  readonly value?: string
  /** `list` may be repeated; `commas` may be repeated and split at commas; `duration` is as Go writes it. Default: text. */
  readonly type?: 'text' | 'integer' | 'duration' | 'list' | 'commas'
  readonly choices?: readonly string[]
  /** Words that completion offers; others are taken as well. */
  readonly suggestions?: readonly string[]
  /** What is read when the flag is not given; a duration in its text form. */
  readonly default?: string | number | boolean
  readonly hidden?: true
}

export interface Argument {
  readonly name: string
  readonly help: string
  readonly optional?: true
  readonly variadic?: true
  /** Words that completion offers; others are taken as well. */
  readonly suggestions?: readonly string[]
}

/** The flags that were given, by type. A name that the command does not declare is a bug and throws. */
export interface Flags {
  text(name: string): string | undefined
  integer(name: string): number | undefined
  /** Milliseconds. */
  duration(name: string): number | undefined
  list(name: string): readonly string[]
  on(name: string): boolean
  /** Whether the user gave the flag, so that what is read is not its default. */
  given(name: string): boolean
}

export interface Context {
  readonly args: readonly string[]
  readonly flags: Flags
  readonly env: NodeJS.ProcessEnv
  /** The state folder of the mesh: `--home`, else `$LATEEN_HOME`, else `~/.lateen`. */
  readonly home: string
  /** What is going on, on standard error; a spinner when that is a terminal. */
  readonly progress: Progress
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal
  /** All commands, for those that speak about commands. */
  readonly tree: Tree
  readonly foreign: readonly Foreign[]
}

/** A result that says more than its data: another exit code, or text that is written as it comes. */
export class Outcome<T> {
  readonly data: T
  readonly exitCode: ExitCode

  constructor(data: T, exitCode: ExitCode) {
    this.data = data
    this.exitCode = exitCode
  }
}

/** One leaf of the command tree. `T` is what it finds out; the shell renders it as the user asked. */
export interface Command<T = unknown> {
  /** One or more sentences after the usage line. */
  readonly help: string
  readonly args?: readonly Argument[]
  readonly flags: readonly Flag[]
  readonly examples: readonly string[]
  /** On Ctrl-C it brings to an end what it has begun; other commands are left where they are. */
  readonly endsItself?: true
  /** Resolves to data, to an {@link Outcome}, or to an async iterable of text that is written as it comes. */
  run(context: Context): Promise<T | Outcome<T> | AsyncIterable<string>>
  /** The text for people. Without it, the data is written as YAML. An empty text writes nothing. */
  render?(data: T, style: 'table' | 'short'): string
}

/** Lets a command keep its own result type while the tree knows only `unknown`. */
export function command<T>(definition: Command<T>): Command {
  return {
    ...definition,
    run: (context) => definition.run(context),
    ...(definition.render ? { render: (data: unknown, style) => renderAs(definition, data, style) } : {}),
  }
}

/** A result that is written as it is, in every format. */
export async function* verbatim(text: string): AsyncIterable<string> {
  yield text
}

function renderAs<T>({ render }: Command<T>, data: unknown, style: 'table' | 'short'): string {
  // The shell hands back what `run` of the same definition returned.
  return render?.(data as T, style) ?? ''
}

/** `-o`, for commands with a machine form. */
export const OUTPUT_FLAG: Flag = {
  name: 'output',
  short: 'o',
  value: 'FORMAT',
  choices: ['table', 'short', 'json', 'yaml'],
  help: 'table, short, json or yaml',
}

/** `--home`, for every command that speaks of a mesh on this machine. */
export const HOME_FLAG: Flag = { name: 'home', value: 'DIR', help: "the mesh's state folder (default: $LATEEN_HOME, else ~/.lateen)" }
