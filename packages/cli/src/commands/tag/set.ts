import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { isNotFound, type KubeClient } from '@lateen/kube'
import { withCluster } from '../../cluster/connect.ts'
import { command } from '../../shell/command.ts'
import { confirm } from '../../shell/confirm.ts'
import { MAKE_FLAGS, makeTag, TAG_ARGUMENT } from './make-tag.ts'

export const set = command<string>({
  endsItself: true,
  help: 'Creates a revision tag, or points it at another revision: namespaces and pods with the label istio.io/rev=TAG are then injected by that revision. The tag "default" is what namespaces with istio-injection=enabled use.',
  args: [TAG_ARGUMENT],
  flags: MAKE_FLAGS,
  examples: [
    'lateen tag set prod --revision 1-30-3',
    'lateen tag set prod --revision 1-31-0 --overwrite',
    'lateen tag set default --revision 1-31-0',
  ],
  run: async (context) =>
    withCluster(context, async ({ client, ...cluster }) => {
      const { tag, revision, objects, conflicts } = await makeTag({ client, ...cluster }, context, true)
      if (conflicts.length > 0 && !context.flags.on('skip-confirmation')) {
        context.progress.note(`the tag would conflict with webhooks that there are:\n${conflicts.join('\n')}`)
        if (!(await confirm('Apply anyway?', '--skip-confirmation', context.signal))) return 'nothing was changed'
      }
      for (const object of objects) await put(client, object)
      return [
        `Revision tag "${tag}" created, referencing control plane revision "${revision}". To enable injection using this`,
        `revision tag, use 'kubectl label namespace <NAMESPACE> istio.io/rev=${tag}'`,
      ].join('\n')
    }),
  render: (text) => text,
})

/** The whole object: what an earlier tag had beyond it goes. */
async function put(client: KubeClient, object: KubeObject): Promise<void> {
  const type =
    object.kind === 'MutatingWebhookConfiguration'
      ? RESOURCE_TYPES.MutatingWebhookConfiguration
      : RESOURCE_TYPES.ValidatingWebhookConfiguration
  try {
    const { metadata } = await client.get(type, undefined, object.metadata.name)
    await client.update(type, { ...object, metadata: { ...object.metadata, resourceVersion: metadata.resourceVersion ?? '' } })
  } catch (error) {
    if (!isNotFound(error)) throw error
    await client.create(type, object, { fieldManager: 'lateen' })
  }
}
