/** `x authz check`: the authorization policies that a pod's proxy enforces. */
import { paddedTable } from '../../../render/table.ts'
import { command } from '../../../shell/command.ts'
import { foundIn, POD_ARGUMENT, readDump, SOURCE_FLAGS } from '../../proxy-config/source.ts'
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
  async run(context) {
    const dump = await readDump(context)
    return foundIn(context, dump, enforcedPolicies(dump))
  },
  render: (policies) =>
    paddedTable(
      ['ACTION', 'AuthorizationPolicy', 'RULES'],
      policies.map(({ action, policy, rules }) => [action, policy, String(rules)]),
      3,
    ),
})
