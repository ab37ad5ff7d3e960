import { isRecord } from '@lateen/base'
import { sortedYaml } from '../../render/sorted-yaml.ts'
import { command, verbatim } from '../../shell/command.ts'
import { operatorOf, subtreeAt } from './operator.ts'

const FORMATS = ['yaml', 'json', 'flags']

export const dump = command<unknown>({
  help: 'What a profile chooses, as an IstioOperator; the profile default when none is named.',
  args: [{ name: 'profile', help: 'name of the profile', optional: true }],
  flags: [
    {
      name: 'config-path',
      short: 'p',
      value: 'PATH',
      default: '',
      help: 'only what stands at this path, as components.pilot or values.global',
    },
    { name: 'output', short: 'o', value: 'FORMAT', choices: FORMATS, default: 'yaml', help: 'yaml, json, or flags for --set' },
  ],
  examples: ['lateen profile dump demo', 'lateen profile dump ambient --config-path values', 'lateen profile dump demo -o flags'],
  run: async (context) => {
    const path = context.flags.text('config-path') ?? ''
    const operator = operatorOf(context.args[0] ?? 'default')
    const value = path === '' ? operator : subtreeAt(operator, path)
    switch (context.flags.text('output')) {
      case 'json':
        return value
      case 'flags':
        return verbatim(`${settings(path === '' ? operator['spec'] : value, path).join('\n')}\n`)
      default:
        return verbatim(sortedYaml(value))
    }
  },
})

/** `components.pilot.enabled=true`, a line for each value. */
function settings(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => settings(item, `${path}[${index}]`))
  if (isRecord(value)) return Object.entries(value).flatMap(([key, below]) => settings(below, path === '' ? key : `${path}.${key}`))
  return [`${path}=${String(value)}`]
}
