import { type Difference, structuralDiff } from '../../render/structural-diff.ts'
import { command, Outcome } from '../../shell/command.ts'
import { EXIT } from '../../shell/exit-codes.ts'
import { operatorOf } from './operator.ts'

export const diff = command<readonly Difference[]>({
  help: 'Where two profiles differ. Exit code 1 when they do.',
  args: [
    { name: 'profile', help: 'name of a profile' },
    { name: 'other', help: 'name of the profile to compare it with' },
  ],
  flags: [
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['table', 'json', 'yaml'], default: 'table', help: 'table, json or yaml' },
  ],
  examples: ['lateen profile diff default demo'],
  run: async ({ args: [one = '', other = ''] }) => {
    const found = structuralDiff(operatorOf(one), operatorOf(other)).filter(({ path }) => path !== 'spec.profile')
    return new Outcome(found, found.length > 0 ? EXIT.failure : EXIT.ok)
  },
  render: (found) => {
    if (found.length === 0) return 'The two profiles are the same'
    const lines = found.flatMap(({ path, before, after }) => [
      path,
      ...(before === undefined ? [] : [`  - ${JSON.stringify(before)}`]),
      ...(after === undefined ? [] : [`  + ${JSON.stringify(after)}`]),
    ])
    return lines.join('\n')
  },
})
