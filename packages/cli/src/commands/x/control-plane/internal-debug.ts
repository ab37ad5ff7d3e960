/** `x internal-debug`: a debug page of the control plane, as it is. */
import { withCluster } from '../../../cluster/connect.ts'
import { askIstiods } from '../../../cluster/istiod.ts'
import { command } from '../../../shell/command.ts'
import { CommandError, EXIT } from '../../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../../shell/kube-flags.ts'

export const internalDebug = command<string>({
  help: 'Prints a debug page of the control plane, such as syncz, configz or config_dump?proxyID=POD.NAMESPACE; "list" names all. The first replica that answers is enough, unless --all is given.',
  args: [{ name: 'page', help: 'name of the page, with its query', optional: true }],
  flags: [
    { name: 'all', help: 'every replica, as a JSON object by name' },
    { name: 'revision', short: 'r', value: 'REVISION', help: 'only control planes of this revision' },
    { name: 'timeout', value: 'DURATION', type: 'duration', default: '30s', help: 'longest wait for an answer' },
    ...['xds-address', 'xds-label', 'cert-dir', 'authority'].map((name) => ({
      name,
      value: 'TEXT',
      hidden: true as const,
      help: 'accepted',
    })),
    { name: 'xds-port', value: 'PORT', type: 'integer', default: 15012, hidden: true, help: 'accepted' },
    ...['insecure', 'plaintext'].map((name) => ({ name, hidden: true as const, help: 'accepted' })),
    ...KUBE_FLAGS,
  ],
  examples: [
    'lateen x internal-debug list',
    'lateen x internal-debug syncz',
    'lateen x internal-debug "config_dump?proxyID=cart-v1-x7k2.shop"',
  ],
  run: (context) => {
    const [page] = context.args
    if (page === undefined)
      throw new CommandError('debug type is required: name a page; "lateen x internal-debug list" names all', { exitCode: EXIT.usage })
    return withCluster(context, async (cluster) => {
      const path = `/debug/${page.replace(/^\/?(debug\/)?/, '')}`
      const { answers, faults } = await askIstiods(
        { ...cluster, timeoutMs: context.flags.duration('timeout') ?? cluster.timeoutMs },
        path,
        context.flags.text('revision'),
      )
      if (!context.flags.on('all')) return answers[0]?.body ?? ''
      for (const fault of faults) context.progress.note(fault)
      return JSON.stringify(Object.fromEntries(answers.map(({ istiod, body }) => [istiod, body])), null, 2)
    })
  },
  render: (body) => body.trimEnd(),
})
