/** `cluster`: what the supervisor runs inside the node's namespaces. Not for people. */
import { runClusterProcess } from '../../mesh/cluster-process.ts'
import { homeAt } from '../../mesh/home.ts'
import { INTERNET } from '../../mesh/internet.ts'
import { IP_FAMILIES } from '../../mesh/ip-family.ts'
import { command, HOME_FLAG } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'

const MAPPINGS = ['root', 'range', 'single'] as const

export const cluster = command<undefined>({
  endsItself: true,
  help: "The mesh's API server, controllers and node agent. Started by the supervisor.",
  flags: [
    HOME_FLAG,
    { name: 'envoy', value: 'PATH', help: 'the Envoy binary' },
    { name: 'ip-family', value: 'FAMILY', choices: IP_FAMILIES, help: 'ipv4 or dual' },
    { name: 'internet', value: 'WHETHER', choices: INTERNET, help: 'whether pods reach networks outside' },
    { name: 'ports', value: 'API,HTTP,HTTPS', help: 'the ports on the host' },
    { name: 'uids', value: 'HOW', choices: MAPPINGS, help: 'which user ids exist in the node' },
  ],
  examples: [],
  async run({ flags, env, home }) {
    const [api, http, https] = (flags.text('ports') ?? '').split(',').map(Number)
    const envoy = flags.text('envoy')
    const ipFamily = IP_FAMILIES.find((one) => one === flags.text('ip-family'))
    const uidMapping = MAPPINGS.find((mapping) => mapping === flags.text('uids'))
    if (!api || !http || !https || !envoy || !ipFamily || !uidMapping || !process.send)
      throw new CommandError('cluster is started by the supervisor; use lateen up', { exitCode: EXIT.usage })
    const internet = flags.text('internet') === 'on'
    const auditLog = env['LATEEN_AUDIT_LOG'] || undefined
    await runClusterProcess({ home: homeAt(home), envoy, internet, ipFamily, ports: { api, http, https }, uidMapping, auditLog })
    return undefined
  },
})
