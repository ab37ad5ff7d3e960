/** Revision tags of a cluster: webhooks that stand for a revision under another name, and the namespaces that use that name. */
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import type { ClientConfig } from '@lateen/install'
import type { KubeClient } from '@lateen/kube'
import { at, fields, list, text } from '../../config-dump/fields.ts'
import { CommandError } from '../../shell/exit-codes.ts'

export const REVISION = 'istio.io/rev'
export const TAG = 'istio.io/tag'

export interface TagDescription {
  /** Empty for a revision without tags. */
  readonly tag: string
  readonly revision: string
  readonly namespaces: readonly string[]
}

const { MutatingWebhookConfiguration, Namespace, ValidatingWebhookConfiguration } = RESOURCE_TYPES

/** Injection webhooks with these labels. */
export async function webhooksWith(client: KubeClient, labelSelector: string): Promise<KubeObject[]> {
  return (await client.list(MutatingWebhookConfiguration, { labelSelector })).items
}

/** A revision's own: not those of its tags. */
export const revisionWebhooks = (client: KubeClient, revision: string): Promise<KubeObject[]> =>
  webhooksWith(client, `${REVISION}=${revision},!${TAG}`)

export async function namespacesUsing(client: KubeClient, tag: string): Promise<string[]> {
  const named = await client.list(Namespace, { labelSelector: `${REVISION}=${tag}` })
  // Namespaces that only switch injection on are the default's.
  const switched = tag === 'default' ? (await client.list(Namespace, { labelSelector: `istio-injection=enabled,!${REVISION}` })).items : []
  return [...named.items, ...switched].map(({ metadata }) => metadata.name).sort()
}

/** All tags, and the revisions that have none; by revision, then tag. */
export async function listTags(client: KubeClient): Promise<TagDescription[]> {
  const webhooks = await webhooksWith(client, REVISION)
  const known = new Map<string, { revision: string; tag: string }>()
  for (const { metadata } of webhooks) {
    const revision = metadata.labels?.[REVISION] ?? ''
    const tag = metadata.labels?.[TAG] ?? ''
    known.set(`${revision} ${tag}`, { revision, tag })
  }
  const tagged = new Set([...known.values()].filter(({ tag }) => tag !== '').map(({ revision }) => revision))
  const shown = [...known.values()].filter(({ revision, tag }) => tag !== '' || !tagged.has(revision))
  const described = await Promise.all(
    shown.map(async ({ revision, tag }) => ({ tag, revision, namespaces: await namespacesUsing(client, tag === '' ? revision : tag) })),
  )
  return described.sort((a, b) => compare(a.revision, b.revision) || compare(a.tag, b.tag))
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** How a revision's webhooks are reached. @throws CommandError when the revision has none, or several */
export async function clientsOf(
  client: KubeClient,
  revision: string,
): Promise<{ readonly injection: ClientConfig; readonly validation: ClientConfig | undefined }> {
  const found = await revisionWebhooks(client, revision)
  const [webhook, ...more] = found
  if (!webhook) {
    const known = [...new Set((await webhooksWith(client, REVISION)).map(({ metadata }) => metadata.labels?.[REVISION]))]
    throw new CommandError(
      `cannot find the MutatingWebhookConfiguration of revision "${revision}"; ${known.length > 0 ? `there are the revisions ${known.join(', ')}` : 'no control plane is installed'}`,
    )
  }
  if (more.length > 0) {
    throw new CommandError(
      `revision "${revision}" has several MutatingWebhookConfigurations: ${found.map(({ metadata }) => metadata.name).join(', ')}; remove those that are stale`,
    )
  }
  const injection = clientConfig(webhook, 'sidecar-injector.istio.io')
  if (!injection) throw new CommandError(`MutatingWebhookConfiguration ${webhook.metadata.name} has no webhook of the injector`)
  const validators = await client.list(ValidatingWebhookConfiguration, { labelSelector: `${REVISION}=${revision},!${TAG}` })
  const [validator] = validators.items
  return { injection, validation: validator && clientConfig(validator, 'validation.istio.io') }
}

function clientConfig(configuration: KubeObject, suffix: string): ClientConfig | undefined {
  const webhook = list(at(configuration, 'webhooks')).find((each) => text(at(each, 'name')).endsWith(suffix))
  return webhook === undefined ? undefined : fields(at(webhook, 'clientConfig'))
}
