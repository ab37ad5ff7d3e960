import { withCluster } from '../../cluster/connect.ts'
import { sortedYaml } from '../../render/sorted-yaml.ts'
import { command } from '../../shell/command.ts'
import { MAKE_FLAGS, makeTag, TAG_ARGUMENT } from './make-tag.ts'

export const generate = command<string>({
  help: 'Writes the webhooks of a revision tag, for kubectl apply -f. The revision must be installed: the webhooks lead where its own lead.',
  args: [TAG_ARGUMENT],
  flags: MAKE_FLAGS,
  examples: ['lateen tag generate prod --revision 1-30-3 > tag.yaml'],
  run: async (context) =>
    withCluster(context, async (cluster) => {
      const { objects, conflicts } = await makeTag(cluster, context, false)
      if (conflicts.length > 0 && !context.flags.on('skip-confirmation')) {
        context.progress.note(`the tag would conflict with webhooks that there are:\n${conflicts.join('\n')}`)
      }
      return objects.map(sortedYaml).join('---\n')
    }),
  render: (text) => text,
})
