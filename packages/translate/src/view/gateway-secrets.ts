/** Credentials of a gateway's servers, as far as the gateway may have them. */
import type { KubeObject } from '@lateen/api'
import type { Resource } from '@lateen/envoy'
import type { Context } from '@lateen/graph'
import type { GatewayServer, MeshModel } from '@lateen/model'
import { authoritiesOf, baseOf, credentialPlace, credentialResource, GRANTED, needsRight } from '../builders/credentials.ts'
import { secretResources } from '../builders/secrets.ts'
import { type Part, partOf } from '../resource.ts'

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
      names.set(
        baseOf(name),
        names.get(baseOf(name)) === true || gateway.granted?.includes(name) === true || isOwn(name, gateway.namespace, namespace),
      )
  }
  return [...names].flatMap(([name, granted]) => {
    const place = credentialPlace(name, namespace)
    // A gateway that could name another namespace's secrets could show its certificates.
    if (!place || !(granted || (place.namespace === namespace && !name.startsWith(GRANTED)))) return []
    const held = (suffix: string): KubeObject | undefined => {
      const key = `${place.namespace}/${place.name}${suffix}`
      const secret = place.kind === 'Secret' ? context.get(model.inputs.kinds['core/Secret'], key) : undefined
      return secret ?? context.get(model.inputs.kinds['core/ConfigMap'], key)
    }
    return secretResources(credentialResource(name), held(''), held(authoritiesOf('')))
  })
}

/** References of the Gateway API need no grant where Gateway, Secret and proxy are in one namespace. */
const isOwn = (name: string, gateway: string, proxy: string): boolean =>
  name.startsWith(GRANTED) && gateway === proxy && credentialPlace(name, proxy)?.namespace === proxy

/** Whom the control plane gives them to is decided part by part. */
export function partsByRight(secrets: readonly Resource[]): readonly Part[] {
  const granted = secrets.filter(({ name }) => name.startsWith(GRANTED))
  const others = secrets.filter(({ name }) => !name.startsWith(GRANTED))
  const byRight = others.filter(({ name }) => needsRight(name))
  return [byRight, granted, others.filter(({ name }) => !needsRight(name))].map((list) => partOf(list))
}

function credentialsOf({ tls }: GatewayServer['server']): readonly string[] {
  const names = [...(tls?.credentialNames ?? []), tls?.credentialName, tls?.caCertCredentialName]
  return names.flatMap((name) => (name ? [name] : []))
}
