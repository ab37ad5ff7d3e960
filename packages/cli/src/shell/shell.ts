/**
 * The one place that reads flags, writes to standard output and decides the exit code.
 *
 * Enters: the arguments and environment of the process. Leaves: text on the two streams, an exit code. The commands between
 * know neither streams nor commander.
 */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { readable } from '@lateen/base'
import { Command as Commander, CommanderError, Option } from 'commander'
import type { Command, Context, Flag, Flags } from './command.ts'
import { Outcome } from './command.ts'
import { CommandError, EXIT, type ExitCode } from './exit-codes.ts'
import { collect, collectCommas, parseDuration, parseInteger, plainWords, splitSwitches } from './flag-values.ts'
import { KUBE_FLAGS } from './kube-flags.ts'
import { progressOn } from './progress.ts'
import { renderResult } from './render.ts'
import { childNamed, type Foreign, isBranch, type Leaf, type Node, type Tree } from './tree.ts'

export interface Streams {
  readonly stdout: NodeJS.WriteStream | Writer
  readonly stderr: NodeJS.WriteStream | Writer
}

export interface Writer {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

/** Commands of the program's own help that stand together. */
export interface HelpSection {
  readonly heading: string
  readonly commands: readonly string[]
}

export interface ShellOptions {
  readonly tree: Tree
  readonly foreign: readonly Foreign[]
  /** The first lines of the program's help. */
  readonly introduction?: string
  readonly sections?: readonly HelpSection[]
  /** What to say of words that are no commands, by these words. */
  readonly words?: Readonly<Record<string, string>>
  readonly env: NodeJS.ProcessEnv
  readonly streams: Streams
  readonly signal: AbortSignal
}

const NAME = 'lateen'

/** Runs one command line (without the program's name) and resolves to its exit code. */
export async function runShell(argv: readonly string[], options: ShellOptions): Promise<ExitCode> {
  const { stderr } = options.streams
  try {
    return await dispatch(argv, options)
  } catch (error) {
    // Commander has said it already, help included.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    if (error instanceof CommandError) {
      stderr.write(`Error: ${readable(error.message)}\n`)
      return error.exitCode
    }
    stderr.write(`Error: ${readable(describe(error, options.env))}\n`)
    return EXIT.failure
  }
}

async function dispatch(argv: readonly string[], options: ShellOptions): Promise<ExitCode> {
  const program = newCommand(NAME, options).description(options.introduction ?? '')
  addCommands(program, options)
  if (argv.length === 0) {
    program.outputHelp()
    return EXIT.ok
  }
  const [first, ...others] = argv
  if (first === 'help' && !childNamed(options.tree, first)) return showHelp(program, others, options)
  const path = leafPath(argv, options.tree)
  if (!path) {
    // As in istioctl: a word that has only commands below it tells which.
    if (nodesAlong(argv, options.tree).length === argv.length) return showHelp(program, argv, options)
    const advice = adviceFor(
      plainWords(argv, KUBE_FLAGS).map((position) => argv[position] ?? ''),
      options,
    )
    if (advice !== undefined) throw new CommandError(advice, { exitCode: EXIT.usage })
    // Commander says which word is unknown, and which was probably meant.
    await program.parseAsync([...argv], { from: 'user' })
    return EXIT.ok
  }
  const loaded = await path.leaf.load()
  const target = findCommand(program, path.names)
  declare(target, loaded)
  const { argv: rest, switches, faults } = splitSwitches(path.rest, loaded.flags)
  if (faults.length > 0) throw new CommandError(faults.join('; '), { exitCode: EXIT.usage })
  let exitCode: ExitCode = EXIT.ok
  target.action(async () => {
    exitCode = await execute(loaded, target, switches, options)
  })
  await target.parseAsync([...rest], { from: 'user' })
  return exitCode
}

/** The help of the command that the words name, as `--help` after them tells it. */
async function showHelp(program: Commander, words: readonly string[], options: ShellOptions): Promise<ExitCode> {
  const nodes = nodesAlong(words, options.tree)
  if (nodes.length < words.length) {
    const advice = adviceFor(words, options)
    if (advice !== undefined) throw new CommandError(advice, { exitCode: EXIT.usage })
    // Commander says which word is unknown, and which was probably meant.
    await program.parseAsync([...words], { from: 'user' })
    return EXIT.ok
  }
  const target = findCommand(
    program,
    nodes.map(({ name }) => name),
  )
  const load = nodes.at(-1)?.node.load
  if (load) declare(target, await load())
  target.outputHelp()
  return EXIT.ok
}

/** The nodes that the first words lead to, one below the other, with their proper names. */
function nodesAlong(words: readonly string[], tree: Tree): { readonly name: string; readonly node: Node }[] {
  const nodes: { readonly name: string; readonly node: Node }[] = []
  let level = tree
  for (const word of words) {
    const found = childNamed(level, word)
    if (!found) break
    nodes.push(found)
    level = isBranch(found.node) ? found.node.children : {}
  }
  return nodes
}

/** All commands, in the order and under the headings of the sections; what is in none comes last. */
function addCommands(program: Commander, options: ShellOptions): void {
  const { tree, foreign, sections = [] } = options
  const order = sections.flatMap(({ commands }) => commands)
  const rank = ([name]: readonly [string, unknown]) => (order.includes(name) ? order.indexOf(name) : order.length)
  const all: (readonly [string, Node | Foreign])[] = [...Object.entries(tree), ...foreign.map((each) => [each.name, each] as const)]
  for (const [name, node] of all.sort((a, b) => rank(a) - rank(b))) {
    if ('name' in node) program.command(name).summary(node.summary)
    else addChildren(program, { [name]: node }, options)
    const heading = sections.find(({ commands }) => commands.includes(name))?.heading
    if (heading) program.commands.find((command) => command.name() === name)?.helpGroup(heading)
  }
}

/** What is known of words that are no command: what replaces them, or where they are. */
function adviceFor(words: readonly string[], { tree, words: known = {} }: ShellOptions): string | undefined {
  const usual = words.map((word, index) => (index === 0 ? (childNamed(tree, word)?.name ?? word) : word))
  for (let count = usual.length; count > 0; count--) {
    const text = usual.slice(0, count).join(' ')
    const advice = Object.hasOwn(known, text) ? known[text] : undefined
    if (advice !== undefined) return `there is no command "${text}": ${advice}`
  }
  const [first = ''] = words
  if (first === '' || childNamed(tree, first)) return undefined
  const [elsewhere] = pathsTo(first, tree, NAME)
  return elsewhere && `there is no command "${first}"; did you mean "${elsewhere}"?`
}

/** Visible commands of that name below the top. */
function pathsTo(name: string, tree: Tree, path: string): string[] {
  return Object.entries(tree).flatMap(([word, node]) => {
    if (node.hidden || !isBranch(node)) return []
    const found = childNamed(node.children, name)
    return [...(found && !found.node.hidden ? [`${path} ${word} ${found.name}`] : []), ...pathsTo(name, node.children, `${path} ${word}`)]
  })
}

function newCommand(name: string, options: ShellOptions): Commander {
  return prepare(new Commander(name), options)
}

function prepare(command: Commander, { streams }: ShellOptions): Commander {
  return command
    .exitOverride()
    .helpOption('-h, --help', 'help for this command')
    .helpCommand(false)
    .showHelpAfterError(`(${NAME} --help tells what there is)`)
    .configureOutput({
      writeOut: (text) => void streams.stdout.write(text),
      writeErr: (text) => void streams.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'Error: ')),
    })
}

function addChildren(parent: Commander, tree: Tree, options: ShellOptions): void {
  for (const [name, node] of Object.entries(tree)) {
    const child = parent.command(name, node.hidden ? { hidden: true } : {}).summary(node.summary)
    prepare(child, options)
    child.aliases([...(node.aliases ?? [])])
    if (!isBranch(node)) continue
    child.description(`${node.summary.charAt(0).toUpperCase()}${node.summary.slice(1)}.`)
    addChildren(child, node.children, options)
  }
}

interface LeafPath {
  readonly leaf: Pick<Leaf, 'load'>
  /** Proper names from the top. */
  readonly names: readonly string[]
  /** The arguments without the words that led here. */
  readonly rest: readonly string[]
}

/** The leaf that the first words of `argv` name; flags between them are stepped over, with the values of those that all know. */
function leafPath(argv: readonly string[], tree: Tree): LeafPath | undefined {
  const names: string[] = []
  const used = new Set<number>()
  const pathTo = (leaf: LeafPath['leaf']): LeafPath => ({ leaf, names, rest: argv.filter((_, index) => !used.has(index)) })
  let level = tree
  let own: LeafPath | undefined
  for (const position of plainWords(argv, KUBE_FLAGS)) {
    const found = childNamed(level, argv[position] ?? '')
    if (!found) return own
    names.push(found.name)
    used.add(position)
    if (!isBranch(found.node)) return pathTo(found.node)
    const { load, children } = found.node
    own = load && pathTo({ load })
    level = children
  }
  return own
}

function findCommand(program: Commander, words: readonly string[]): Commander {
  return words.reduce((parent, word) => {
    const child = parent.commands.find((command) => command.name() === word)
    if (!child) throw new Error(`command tree: no ${word} below ${parent.name()}`)
    return child
  }, program)
}

function declare(target: Commander, loaded: Command): void {
  target.description(loaded.help)
  for (const { name, help, optional, variadic } of loaded.args ?? []) {
    const text = `${name}${variadic ? '...' : ''}`
    target.argument(optional ? `[${text}]` : `<${text}>`, help)
  }
  for (const flag of loaded.flags) target.addOption(option(flag))
  if (loaded.examples.length > 0) target.addHelpText('after', `\nExamples:\n${loaded.examples.map((example) => `  ${example}`).join('\n')}`)
}

const PARSERS = { integer: parseInteger, duration: parseDuration, list: collect, commas: collectCommas } as const

function option(flag: Flag): Option {
  const made = new Option(`${flag.short ? `-${flag.short}, ` : ''}--${flag.name}${flag.value ? ` <${flag.value}>` : ''}`, helpOf(flag))
  // A flag is what its name says: commander would make `--no-x` the absence of `--x`.
  made.negate = false
  // Choices come first: they bring a parser of their own.
  if (flag.choices) made.choices([...flag.choices])
  if (flag.type && flag.type !== 'text') made.argParser<unknown>(PARSERS[flag.type])
  if (flag.hidden) made.hideHelp()
  return made
}

function helpOf(flag: Flag): string {
  return flag.default === undefined || flag.default === '' || flag.default === false ? flag.help : `${flag.help} (default: ${flag.default})`
}

async function execute(
  loaded: Command,
  target: Commander,
  switches: ReadonlyMap<string, boolean>,
  options: ShellOptions,
): Promise<ExitCode> {
  const { streams, env, signal, tree, foreign } = options
  const flags = flagsOf(loaded, target, switches)
  const context: Context = {
    args: target.args,
    flags,
    env,
    home: homeOf(loaded, flags, env),
    progress: progressOn(streams.stderr, env),
    signal,
    tree,
    foreign,
  }
  const done = carryOut(loaded, context, streams)
  return loaded.endsItself ? done : unlessInterrupted(done, signal)
}

async function carryOut(loaded: Command, context: Context, { stdout }: Streams): Promise<ExitCode> {
  const { flags } = context
  const result = await loaded.run(context)
  if (isStream(result)) {
    for await (const text of result) stdout.write(text)
    return EXIT.ok
  }
  const outcome = result instanceof Outcome ? result : new Outcome(result, EXIT.ok)
  const declared = loaded.flags.some(({ name }) => name === 'output')
  const text = renderResult(loaded, outcome.data, formatOf(declared ? flags.text('output') : undefined, loaded, flags))
  if (text !== '') stdout.write(text.endsWith('\n') ? text : `${text}\n`)
  return outcome.exitCode
}

/** What is still under way then ends with the program. */
async function unlessInterrupted(done: Promise<ExitCode>, signal: AbortSignal): Promise<ExitCode> {
  let interrupt: () => void = () => undefined
  const interrupted = new Promise<ExitCode>((resolve) => {
    interrupt = () => resolve(EXIT.interrupted)
  })
  signal.addEventListener('abort', interrupt, { once: true })
  if (signal.aborted) interrupt()
  try {
    return await Promise.race([done, interrupted])
  } finally {
    signal.removeEventListener('abort', interrupt)
  }
}

function formatOf(wanted: string | undefined, loaded: Command, flags: Flags): 'table' | 'short' | 'json' | 'yaml' {
  if (wanted === 'json' || wanted === 'yaml' || wanted === 'short') return wanted
  return loaded.flags.some(({ name }) => name === 'short') && flags.on('short') ? 'short' : 'table'
}

function flagsOf(loaded: Command, target: Commander, switches: ReadonlyMap<string, boolean>): Flags {
  const values: Readonly<Record<string, unknown>> = target.opts()
  const given = (name: string): unknown => {
    if (!loaded.flags.some((flag) => flag.name === name)) throw new Error(`flag --${name} is read but not declared`)
    return switches.get(name) ?? values[name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())]
  }
  const read = (name: string): unknown => given(name) ?? loaded.flags.find((flag) => flag.name === name)?.default
  const number = (value: unknown) => (typeof value === 'number' ? value : undefined)
  return {
    text: (name) => {
      const value = read(name)
      return typeof value === 'string' ? value : undefined
    },
    integer: (name) => number(read(name)),
    duration: (name) => {
      const value = read(name)
      return typeof value === 'string' ? parseDuration(value) : number(value)
    },
    list: (name) => {
      const value = read(name)
      return Array.isArray(value) ? value.map(String) : typeof value === 'string' && value !== '' ? [value] : []
    },
    on: (name) => read(name) === true,
    given: (name) => given(name) !== undefined,
  }
}

function homeOf(loaded: Command, flags: Flags, env: NodeJS.ProcessEnv): string {
  const given = loaded.flags.some(({ name }) => name === 'home') ? flags.text('home') : undefined
  return resolve(given || env['LATEEN_HOME'] || join(homedir(), '.lateen'))
}

function isStream(result: unknown): result is AsyncIterable<string> {
  return typeof result === 'object' && result !== null && Symbol.asyncIterator in result
}

/** Stack traces are for those who ask: `LATEEN_DEBUG=1`. */
function describe(error: unknown, env: NodeJS.ProcessEnv): string {
  if (!(error instanceof Error)) return String(error)
  return env['LATEEN_DEBUG'] ? (error.stack ?? error.message) : error.message
}
