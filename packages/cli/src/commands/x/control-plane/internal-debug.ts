/** `x internal-debug`: a debug page of the control plane, as it is. */
import { compareText } from '@lateen/base'
import { withCluster } from '../../../cluster/connect.ts'
import { askControlPlanes } from '../../../cluster/control-planes.ts'
import { command } from '../../../shell/command.ts'
import { CommandError, EXIT } from '../../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../../shell/kube-flags.ts'
import { XDS_FLAGS } from '../../../shell/xds-flags.ts'

export const internalDebug = command<string>({
  help: 'Prints a debug page of the control plane, such as syncz, configz or config_dump?proxyID=POD.NAMESPACE; "list" names all. The first replica that answers is enough, unless --all is given.',
  args: [{ name: 'page', help: 'name of the page, with its query', optional: true }],
  flags: [
    { name: 'all', help: 'every replica, as a JSON object by its name' },
    { name: 'revision', short: 'r', value: 'REVISION', help: 'only control planes of this revision' },
    ...XDS_FLAGS,
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
      const { answers, faults } = await askControlPlanes(context, cluster, path)
      if (!context.flags.on('all')) return textOf(contentOf(answers[0]?.body ?? ''))
      for (const fault of faults) context.progress.note(fault)
      const sorted = [...answers].sort((a, b) => compareText(a.istiod, b.istiod))
      return textOf(Object.fromEntries(sorted.map(({ istiod, body }) => [istiod, contentOf(body)])))
    })
  },
  render: (body) => body.trimEnd(),
})

/** What is JSON as such, what is not as text. */
function contentOf(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}

const textOf = (content: unknown): string => (typeof content === 'string' ? content : JSON.stringify(content, null, 2))
