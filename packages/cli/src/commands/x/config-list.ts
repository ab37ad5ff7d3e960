/** `x config list`: settings that have a default elsewhere than on the command line. */
import { paddedTable } from '../../render/table.ts'
import { command } from '../../shell/command.ts'

const SETTINGS: readonly (readonly [flag: string, fallback: string])[] = [
  ['authority', ''],
  ['cert-dir', ''],
  ['insecure', 'false'],
  ['istioNamespace', 'istio-system'],
  ['plaintext', 'false'],
  ['prefer-experimental', 'false'],
  ['xds-address', ''],
  ['xds-port', '15012'],
]

const variableOf = (flag: string): string => `ISTIOCTL_${flag.replaceAll('-', '_').toUpperCase()}`

interface Setting {
  readonly flag: string
  readonly value: string
  readonly from: string
}

export const configList = command<readonly Setting[]>({
  help: 'Lists the flags that take their default from an environment variable, with the value in force and where it is from.',
  flags: [],
  examples: ['lateen x config list', 'ISTIOCTL_ISTIONAMESPACE=mesh lateen x config list'],
  run: async ({ env }) =>
    SETTINGS.map(([flag, fallback]) => {
      const value = env[variableOf(flag)]
      return { flag, value: value ?? fallback, from: value === undefined ? 'default' : `$${variableOf(flag)}` }
    }),
  render: (settings) =>
    paddedTable(
      ['FLAG', 'VALUE', 'FROM'],
      settings.map(({ flag, value, from }) => [flag, value, from]),
      5,
    ),
})
