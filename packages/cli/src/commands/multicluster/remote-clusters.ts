/** `remote-clusters`: the clusters whose services each replica of the control plane knows. */
import { withCluster } from '../../cluster/connect.ts'
import { type Answer, askIstiods } from '../../cluster/istiod.ts'
import { at, list, text } from '../../config-dump/fields.ts'
import { paddedTable } from '../../render/table.ts'
import { command } from '../../shell/command.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'

export interface RemoteCluster {
  readonly name: string
  readonly secret: string
  readonly status: string
  readonly istiod: string
}

export const remoteClusters = command<readonly RemoteCluster[]>({
  help: 'Lists the clusters whose services each replica of the control plane reads, and whether it has read them.',
  flags: [{ name: 'revision', short: 'r', value: 'REVISION', help: 'only control planes of this revision' }, ...KUBE_FLAGS],
  examples: ['lateen remote-clusters'],
  run: (context) =>
    withCluster(context, async (cluster) => {
      const { answers, faults } = await askIstiods(cluster, '/debug/clusterz', context.flags.text('revision'))
      for (const fault of faults) context.progress.note(fault)
      return readClusters(answers)
    }),
  render: (clusters) =>
    paddedTable(
      ['NAME', 'SECRET', 'STATUS', 'ISTIOD'],
      clusters.map(({ name, secret, status, istiod }) => [name, secret, status, istiod]),
      5,
    ),
})

/** Exported for tests. */
export function readClusters(answers: readonly Answer[]): RemoteCluster[] {
  return answers.flatMap(({ istiod, body }) =>
    list(parsed(body)).map((entry) => ({
      name: text(at(entry, 'id')),
      secret: text(at(entry, 'secretName')),
      status: text(at(entry, 'syncStatus')),
      istiod,
    })),
  )
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return []
  }
}
