/** What `tag set` and `tag generate` share: flags, checks, and the webhooks of a tag. */
import { ANALYZERS, type AnyResource, analyze, readResource, World } from '@lateen/analysis'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { revisionTagWebhooks } from '@lateen/install'
import type { KubeClient } from '@lateen/kube'
import type { Cluster } from '../../cluster/connect.ts'
import type { Argument, Context, Flag } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { clientsOf, revisionWebhooks, TAG, webhooksWith } from './tags.ts'

export const TAG_ARGUMENT: Argument = { name: 'revision-tag', help: 'name of the tag' }

export const SKIP_CONFIRMATION: Flag = { name: 'skip-confirmation', short: 'y', help: 'asks nothing: the answer is yes' }

export const MAKE_FLAGS: readonly Flag[] = [
  { name: 'revision', short: 'r', value: 'REVISION', help: 'the revision that the tag stands for' },
  { name: 'overwrite', help: 'the tag may exist and stand for another revision' },
  { name: 'webhook-name', value: 'NAME', help: 'name of the MutatingWebhookConfiguration (default: istio-revision-tag-TAG)' },
  { name: 'auto-inject-namespaces', help: 'with the tag "default": pods are injected in all namespaces that say nothing' },
  { name: 'manifests', short: 'd', value: 'DIR', hidden: true, help: 'accepted: nothing is read from a folder' },
  SKIP_CONFIRMATION,
  ...KUBE_FLAGS,
]

export interface NewTag {
  readonly tag: string
  readonly revision: string
  /** To be applied in this order. */
  readonly objects: readonly KubeObject[]
  /** What the webhooks would do together with those that there are, if that is wrong. */
  readonly conflicts: readonly string[]
}

/** @throws CommandError when the tag exists and may not be overwritten, and when the revision is not there */
export async function makeTag(cluster: Cluster, { args: [tag = ''], flags }: Context, checksRevisions: boolean): Promise<NewTag> {
  const { client, istioNamespace } = cluster
  const revision = flags.text('revision')
  if (!revision) throw new CommandError(`which revision is "${tag}" to stand for? --revision REVISION`, { exitCode: EXIT.usage })
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(tag)) {
    throw new CommandError(`"${tag}" is no tag: lower-case letters, digits and dashes are wanted, as in prod or 1-30-3`, {
      exitCode: EXIT.usage,
    })
  }
  const overwrite = flags.on('overwrite')
  if (checksRevisions && !overwrite && tag !== 'default' && (await revisionWebhooks(client, tag)).length > 0) {
    throw new CommandError(`cannot create revision tag "${tag}": there is a control plane revision of that name`)
  }
  const { injection, validation } = await clientsOf(client, revision)
  const held = await webhooksWith(client, `${TAG}=${tag}`)
  if (held.length > 0 && !overwrite) {
    throw new CommandError(`revision tag "${tag}" already exists; with --overwrite it is changed`)
  }
  const name = flags.text('webhook-name')
  const objects = revisionTagWebhooks({
    tag,
    revision,
    namespace: istioNamespace,
    injection,
    ...(validation ? { validation } : {}),
    ...(name ? { name } : {}),
    everywhere: flags.on('auto-inject-namespaces'),
  })
  return { tag, revision, objects, conflicts: await conflictsOf(client, objects) }
}

/** Findings about the new webhooks among those of the cluster that they do not replace. */
async function conflictsOf(client: KubeClient, objects: readonly KubeObject[]): Promise<string[]> {
  const names = new Set(objects.map(({ metadata }) => metadata.name))
  const [webhooks, services] = await Promise.all([
    client.list(RESOURCE_TYPES.MutatingWebhookConfiguration),
    client.list(RESOURCE_TYPES.Service),
  ])
  const others = webhooks.items.filter(({ metadata }) => !names.has(metadata.name))
  const resources = [...objects, ...others, ...services.items].flatMap((object): AnyResource[] => {
    const resource = readResource(object, { origin: {}, defaultNamespace: '' })
    return resource ? [resource] : []
  })
  const { findings } = analyze(new World(resources), { analyzers: ANALYZERS.filter((each) => each.name === 'webhook.Analyzer') })
  return findings
    .filter(({ level, resource }) => level === 'Error' && resource !== undefined && names.has(resource.name))
    .map(({ code, origin, text }) => `${origin}: ${text} (${code})`)
}
