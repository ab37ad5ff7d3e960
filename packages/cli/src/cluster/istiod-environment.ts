/** What the control plane that runs was told by its environment. */
import { RESOURCE_TYPES } from '@lateen/api'
import { at, list, text } from '../config-dump/fields.ts'
import type { Cluster } from './connect.ts'

/** Variables of istiod's container, those whose values stand in its pod; none where no control plane runs. */
export async function istiodEnvironment({
  client,
  istioNamespace,
}: Pick<Cluster, 'client' | 'istioNamespace'>): Promise<Record<string, string>> {
  const { items } = await client.list(RESOURCE_TYPES.Pod, { namespace: istioNamespace, labelSelector: 'app=istiod' })
  const discovery = items.flatMap((pod) => list(at(pod, 'spec', 'containers'))).find((container) => at(container, 'name') === 'discovery')
  return Object.fromEntries(list(at(discovery, 'env')).map((variable) => [text(at(variable, 'name')), text(at(variable, 'value'))]))
}
