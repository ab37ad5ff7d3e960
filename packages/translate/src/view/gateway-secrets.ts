/** Credentials of a gateway's servers, as far as the gateway may have them. */
import type { KubeObject } from '@lateen/api'
import type { Resource } from '@lateen/envoy'
import type { Context } from '@lateen/graph'
import type { GatewayServer, MeshModel } from '@lateen/model'
import { authoritiesOf, baseOf, credentialPlace, credentialResource } from '../builders/credentials.ts'
import { secretResources } from '../builders/secrets.ts'

/** The secrets that servers name, from the gateway's own namespace. */
export function gatewaySecrets(
  context: Context,
  model: MeshModel,
  namespace: string,
  servers: readonly GatewayServer[],
): readonly Resource[] {
  const names = new Map<string, boolean>()
  for (const { gateway, server } of servers) {
    for (const name of credentialsOf(server))
      names.set(baseOf(name), names.get(baseOf(name)) === true || gateway.granted?.includes(name) === true)
  }
  return [...names].flatMap(([name, granted]) => {
    const place = credentialPlace(name, namespace)
    // A gateway that could name another namespace's secrets could show its certificates.
    if (!place || (place.namespace !== namespace && !granted)) return []
    const held = (suffix: string): KubeObject | undefined => {
      const key = `${place.namespace}/${place.name}${suffix}`
      const secret = place.kind === 'Secret' ? context.get(model.inputs.kinds['core/Secret'], key) : undefined
      return secret ?? context.get(model.inputs.kinds['core/ConfigMap'], key)
    }
    return secretResources(credentialResource(name), held(''), held(authoritiesOf('')))
  })
}

function credentialsOf({ tls }: GatewayServer['server']): readonly string[] {
  const names = [...(tls?.credentialNames ?? []), tls?.credentialName, tls?.caCertCredentialName]
  return names.flatMap((name) => (name ? [name] : []))
}
