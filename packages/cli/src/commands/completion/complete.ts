/** `__complete`: what may stand where the user is writing; completion scripts ask. It says nothing rather than what is wrong. */
import { type Context, command } from '../../shell/command.ts'
import { candidates } from './candidates.ts'

/** A shell that waits for longer is taken for one that hangs. */
const PATIENCE_MS = 2_000

export const complete = command<readonly string[]>({
  help: 'Prints what may follow the words after --, the last of which is being written; one a line, with what it means after a tab.',
  args: [{ name: 'word', help: 'words of a command line', optional: true, variadic: true }],
  flags: [{ name: 'no-descriptions', help: 'names alone' }],
  examples: ['lateen __complete -- proxy-config ""'],
  async run({ args, env, home, tree, foreign, flags }: Context) {
    const words = args.map((word) => (word === '""' ? '' : word))
    const late = new Promise<[]>((resolve) => setTimeout(() => resolve([]), PATIENCE_MS).unref())
    const found = await Promise.race([candidates(words, { env, home, tree, foreign }).catch(() => []), late])
    return found.map(({ name, meaning }) => (flags.on('no-descriptions') || meaning === '' ? name : `${name}\t${meaning}`))
  },
  render: (lines) => lines.join('\n'),
})
