/** `x authz check`: the authorization policies that a pod's proxy enforces. */
import { table } from '../../../render/table.ts'
import { command } from '../../../shell/command.ts'
import { POD_ARGUMENT, readDump, SOURCE_FLAGS } from '../../proxy-config/source.ts'
import { type EnforcedPolicy, enforcedPolicies } from './policies.ts'

export const authzCheck = command<readonly EnforcedPolicy[]>({
  help: "The AuthorizationPolicies that a pod's proxy enforces, by action, with the number of their rules; from a config dump with --file.",
  args: [POD_ARGUMENT],
  flags: SOURCE_FLAGS,
  examples: [
    'lateen x authz check POD.NAMESPACE',
    'lateen x authz check deployment/cart -n shop',
    'lateen x authz check -f config_dump.json',
  ],
  run: async (context) => enforcedPolicies(await readDump(context)),
  render: (policies) =>
    table(
      ['ACTION', 'AuthorizationPolicy', 'RULES'],
      policies.map(({ action, policy, rules }) => [action, policy, String(rules)]),
    ),
})
