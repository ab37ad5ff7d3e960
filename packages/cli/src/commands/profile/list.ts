import { type Profile, profiles } from '@lateen/install'
import { command } from '../../shell/command.ts'

export const list = command<readonly Profile[]>({
  help: 'The profiles: named choices of components and values for an installation.',
  flags: [
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['table', 'json', 'yaml'], default: 'table', help: 'table, json or yaml' },
  ],
  examples: ['lateen profile list'],
  run: async () => profiles(),
  render: (found) => {
    const width = Math.max(...found.map(({ name }) => name.length))
    return ['Istio configuration profiles:', ...found.map(({ name, summary }) => `    ${name.padEnd(width)}  ${summary}`)].join('\n')
  },
})
