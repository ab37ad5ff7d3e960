/** `proxy-config rootca-compare`: whether the proxies of two pods trust a root certificate in common. */
import { withCluster } from '../../cluster/connect.ts'
import { proxyAdmin } from '../../cluster/envoy-admin.ts'
import { readConfigDump } from '../../config-dump/dump.ts'
import { rootFingerprintsOf } from '../../config-dump/secrets.ts'
import { command } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { PARTS, PROXY_ADMIN_PORT } from './source.ts'

export const rootcaCompare = command<string>({
  help: 'Compares the root certificates that the proxies of two pods trust; without one in common they cannot speak mutual TLS. The exit code is 1 when they have none.',
  args: [{ name: 'pods', help: 'two of [<type>/]<name>[.<namespace>]', variadic: true, optional: true }],
  flags: [PROXY_ADMIN_PORT, ...KUBE_FLAGS],
  examples: ['lateen proxy-config rootca-compare POD-1.NAMESPACE POD-2.NAMESPACE'],
  run(context) {
    const [first, second, ...more] = context.args
    if (first === undefined || second === undefined || more.length > 0) {
      throw new CommandError('rootca-compare requires 2 pods as an argument', { exitCode: EXIT.usage })
    }
    return withCluster(context, async (cluster) => {
      const rootsOf = async (reference: string) => {
        const admin = await proxyAdmin(cluster, reference, context.flags.integer('proxy-admin-port'))
        const dump = readConfigDump(await admin.ask('GET', `config_dump${PARTS.secrets}`), `pod ${admin.pod}`)
        return { pod: admin.pod, roots: rootFingerprintsOf(dump) }
      }
      const [one, other] = await Promise.all([rootsOf(first), rootsOf(second)])
      const both = `Both [${one.pod}] and [${other.pod}] have the`
      if (one.roots.some((root) => other.roots.includes(root))) {
        return `${both} identical ROOTCA, theoretically the connectivity between them is available`
      }
      throw new CommandError(`${both} non identical ROOTCA, theoretically the connectivity between them is unavailable`)
    })
  },
  render: (text) => text,
})
