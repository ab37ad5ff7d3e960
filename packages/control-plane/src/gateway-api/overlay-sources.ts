/** ConfigMaps whose texts are merged over what is deployed for a Gateway: defaults of its class, then its own parameters. */
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import type { KubeClient } from '@lateen/kube'
import { found } from './found.ts'
import { gatewaySpec } from './gateway-spec.ts'

/** On ConfigMaps of the control plane's namespace: the class that they have defaults for. */
export const CLASS_DEFAULTS = 'gateway.istio.io/defaults-for-class'

type Texts = Readonly<Record<string, string>>

/** `namespace/name` of the ConfigMap that a Gateway names. */
export function parametersOf(gateway: KubeObject): string | undefined {
  const { parametersRef } = gatewaySpec(gateway).infrastructure ?? {}
  return parametersRef && `${gateway.metadata.namespace ?? ''}/${parametersRef.name}`
}

/** @throws RangeError, with a text for users, where the Gateway names something that cannot be used */
export async function readOverlays(client: KubeClient, namespace: string, gateway: KubeObject): Promise<readonly Texts[]> {
  const { gatewayClassName = '', infrastructure: { parametersRef } = {} } = gatewaySpec(gateway)
  const { items } = await client.list(RESOURCE_TYPES.ConfigMap, { namespace, labelSelector: `${CLASS_DEFAULTS}=${gatewayClassName}` })
  const [defaults] = items.sort((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1))
  const overlays = defaults ? [textsOf(defaults)] : []
  if (!parametersRef) return overlays
  const { group, kind, name } = parametersRef
  if (group !== '' || kind !== 'ConfigMap')
    throw new RangeError(`its infrastructure.parametersRef names a ${kind} of group "${group}"; only a ConfigMap can be named`)
  const own = await found(client.get(RESOURCE_TYPES.ConfigMap, gateway.metadata.namespace, name))
  if (!own) throw new RangeError(`its infrastructure.parametersRef names ConfigMap ${name}, which is not there`)
  return [...overlays, textsOf(own)]
}

function textsOf({ data }: KubeObject): Texts {
  const entries = Object.entries(typeof data === 'object' && data !== null ? data : {})
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}
