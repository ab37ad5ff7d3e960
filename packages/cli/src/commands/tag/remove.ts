import { RESOURCE_TYPES } from '@lateen/api'
import { withCluster } from '../../cluster/connect.ts'
import { command } from '../../shell/command.ts'
import { confirm } from '../../shell/confirm.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { SKIP_CONFIRMATION, TAG_ARGUMENT } from './make-tag.ts'
import { namespacesUsing, TAG, webhooksWith } from './tags.ts'

export const remove = command<string>({
  endsItself: true,
  help: 'Removes a revision tag. Pods in namespaces that use it are then no longer injected: lateen tag list tells which.',
  args: [TAG_ARGUMENT],
  flags: [SKIP_CONFIRMATION, ...KUBE_FLAGS],
  examples: ['lateen tag remove prod'],
  run: async (context) =>
    withCluster(context, async ({ client }) => {
      const [tag = ''] = context.args
      const webhooks = await webhooksWith(client, `${TAG}=${tag}`)
      if (webhooks.length === 0)
        throw new CommandError(`cannot remove tag "${tag}": there is no MutatingWebhookConfiguration for it. See: lateen tag list`)
      const users = await namespacesUsing(client, tag)
      if (users.length > 0 && !context.flags.on('skip-confirmation')) {
        const question = `${users.length === 1 ? 'The namespace' : 'The namespaces'} ${users.join(', ')} still ${users.length === 1 ? 'uses' : 'use'} tag "${tag}": new pods there will not be injected. Remove it?`
        if (!(await confirm(question, '--skip-confirmation', context.signal))) return 'nothing was changed'
      }
      for (const { metadata } of webhooks) await client.delete(RESOURCE_TYPES.MutatingWebhookConfiguration, undefined, metadata.name)
      return `Revision tag ${tag} removed`
    }),
  render: (text) => text,
})
