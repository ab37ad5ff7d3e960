import { withCluster } from '../../cluster/connect.ts'
import { table } from '../../render/table.ts'
import { command } from '../../shell/command.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { listTags, type TagDescription } from './tags.ts'

export const list = command<readonly TagDescription[]>({
  help: 'The revision tags, the revisions that they stand for, and the namespaces that use them.',
  flags: [
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['table', 'json', 'yaml'], default: 'table', help: 'table, json or yaml' },
    ...KUBE_FLAGS,
  ],
  examples: ['lateen tag list', 'lateen tag list -o json'],
  run: (context) => withCluster(context, ({ client }) => listTags(client)),
  render: (tags) =>
    tags.length === 0
      ? 'No Istio revision tag MutatingWebhookConfigurations to list'
      : table(
          ['TAG', 'REVISION', 'NAMESPACES'],
          tags.map(({ tag, revision, namespaces }) => [tag, revision, namespaces.join(',')]),
        ),
})
