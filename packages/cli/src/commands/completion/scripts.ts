/** Completion scripts: each asks this program what may come next, so that names are those of now. */
import { type Command, command, type Flag } from '../../shell/command.ts'

const NO_DESCRIPTIONS: Flag = { name: 'no-descriptions', help: 'names alone, without what they mean' }

function scriptCommand(shell: string, install: string, script: (ask: string) => string): Command {
  return command<string>({
    help: `Prints the completion script for ${shell}: commands, flags, and the names of pods, namespaces and revisions as they are now.`,
    flags: [NO_DESCRIPTIONS],
    examples: [install],
    run: async ({ flags }) => script(flags.on('no-descriptions') ? '__complete --no-descriptions' : '__complete'),
    render: (text) => text,
  })
}

/**
 * Descriptions are shown by shells that have a place for them; bash has none. Bash cuts words at = and : as well, which this program does
 * not, and wants only what follows the cut.
 */
export const bash = scriptCommand(
  'bash',
  'source <(lateen completion bash)',
  () => `# bash completion for lateen
_lateen() {
  local line current cut=\${COMP_WORDS[COMP_CWORD]} typed=\${COMP_LINE:0:COMP_POINT}
  local -a words
  COMPREPLY=()
  read -ra words <<< "$typed"
  [[ $typed == *[[:space:]] ]] && words+=("")
  current=\${words[\${#words[@]}-1]}
  [[ $cut == [=:] ]] && cut=
  while IFS= read -r line; do
    COMPREPLY+=("\${line#"\${current%"$cut"}"}")
  done < <("\${words[0]/#\\~/$HOME}" __complete --no-descriptions -- "\${words[@]:1}" 2>/dev/null </dev/null)
  # A type such as deployment/ is followed by a name, not by a space.
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == */ ]] && compopt -o nospace
}
complete -o default -F _lateen lateen`,
)

export const zsh = scriptCommand(
  'zsh',
  'source <(lateen completion zsh)',
  (ask) => `#compdef lateen
_lateen() {
  local -a names types
  local line name
  while IFS= read -r line; do
    name=\${line%%$'\\t'*}
    [[ $line == *$'\\t'* ]] && line="\${name//:/\\\\:}:\${line#*$'\\t'}" || line="\${name//:/\\\\:}"
    [[ $name == */ ]] && types+=("$line") || names+=("$line")
  done < <(\${words[1]/#\\~/$HOME} ${ask} -- "\${(@)words[2,CURRENT]}" 2>/dev/null </dev/null)
  if (( \${#names} + \${#types} == 0 )); then _files; return; fi
  (( \${#names} )) && _describe -V 'lateen' names
  # A type such as deployment/ is followed by a name, not by a space.
  (( \${#types} )) && _describe -V 'types' types -S ''
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _lateen lateen`,
)

export const fish = scriptCommand(
  'fish',
  'lateen completion fish > ~/.config/fish/completions/lateen.fish',
  (ask) => `# fish completion for lateen
function __lateen_complete
  set -l words (commandline -opc) (commandline -ct)
  lateen ${ask} -- $words[2..-1] 2>/dev/null </dev/null
end
complete -c lateen -f -a '(__lateen_complete)'
complete -c lateen -n 'string match -qr -- "^-[fc]\\$|file" (commandline -opc)[-1]' -F`,
)

export const powershell = scriptCommand(
  'PowerShell',
  'lateen completion powershell | Out-String | Invoke-Expression',
  (ask) => `# PowerShell completion for lateen
Register-ArgumentCompleter -Native -CommandName lateen -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($wordToComplete -eq '') { $words += '""' }
  lateen ${ask} -- $words 2>$null | ForEach-Object {
    $name, $help = $_ -split "\`t", 2
    if (-not $help) { $help = $name }
    [System.Management.Automation.CompletionResult]::new($name, $name, 'ParameterValue', $help)
  }
}`,
)
