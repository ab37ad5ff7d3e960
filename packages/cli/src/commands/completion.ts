/** `completion SHELL`: a script that completes command names and flags, made from the tree itself. */
import { command } from '../shell/command.ts'
import { CommandError, EXIT } from '../shell/exit-codes.ts'
import { type Foreign, isBranch, type Leaf, type Tree } from '../shell/tree.ts'

interface Line {
  readonly words: string
  readonly next: readonly string[]
}

export const completion = command<string>({
  help: 'Prints a completion script for bash, zsh or fish.',
  args: [{ name: 'shell', help: 'bash, zsh or fish' }],
  flags: [],
  examples: ['source <(lateen completion bash)', 'lateen completion fish > ~/.config/fish/completions/lateen.fish'],
  async run({ args: [shell = ''], tree, foreign }) {
    const lines = await completions(tree, foreign)
    if (shell === 'bash') return bash(lines)
    if (shell === 'zsh') return `#compdef lateen\nautoload -U +X bashcompinit && bashcompinit\n${bash(lines)}`
    if (shell === 'fish') return fish(lines)
    throw new CommandError(`shell "${shell}": bash, zsh and fish are known`, { exitCode: EXIT.usage })
  },
  render: (script) => script,
})

/** What may follow which words. */
async function completions(tree: Tree, foreign: readonly Foreign[]): Promise<Line[]> {
  const [top, ...below] = await branchLines('', tree)
  return [{ words: '', next: [...(top?.next ?? []), ...foreign.map(({ name }) => name)] }, ...below]
}

async function branchLines(words: string, tree: Tree): Promise<Line[]> {
  const nodes = Object.entries(tree).filter(([, node]) => !node.hidden)
  const below = nodes.map(async ([name, node]) => {
    const path = words === '' ? name : `${words} ${name}`
    return isBranch(node) ? branchLines(path, node.children) : [await flagsLine(path, node)]
  })
  return [{ words, next: nodes.map(([name]) => name) }, ...(await Promise.all(below)).flat()]
}

async function flagsLine(words: string, leaf: Leaf): Promise<Line> {
  const { flags } = await leaf.load()
  return { words, next: [...flags.filter(({ hidden }) => !hidden).map(({ name }) => `--${name}`), '--help'] }
}

function bash(lines: readonly Line[]): string {
  const cases = lines.map(({ words, next }) => `    '${words}') next='${next.join(' ')}' ;;`)
  return `_lateen() {
  local words='' next='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in -*) ;; *) words="\${words:+$words }$word" ;; esac
  done
  case $words in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$next" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _lateen lateen
`
}

function fish(lines: readonly Line[]): string {
  const rule = ({ words, next }: Line) => {
    const condition = words === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${words.split(' ').at(-1)}`
    return next.map((word) =>
      word.startsWith('--')
        ? `complete -c lateen -n '${condition}' -l ${word.slice(2)}`
        : `complete -c lateen -f -n '${condition}' -a ${word}`,
    )
  }
  return `${lines.flatMap(rule).join('\n')}\n`
}
