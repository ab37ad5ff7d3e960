/**
 * Credentials of DestinationRules (`tls.credentialName`), for proxies that begin TLS themselves. A gateway may ask for any that some
 * rule names; a sidecar for those of rules that select it. Secrets come from the proxy's own namespace, and the control plane gives
 * them out only to proxies whose service account may read them; authorities in ConfigMaps are for everyone, in a part of their own.
 */
import type { Resource } from '@lateen/envoy'
import { type Context, Family, type Graph, type Interned } from '@lateen/graph'
import { type MeshModel, policiesOf } from '@lateen/model'
import { authoritiesOf, type CredentialPlace, credentialPlace, credentialResource, needsRight } from '../builders/credentials.ts'
import { secretResources } from '../builders/secrets.ts'
import { equalParts, type Part, partOf } from '../resource.ts'

interface CredentialKey {
  readonly namespace: string
  readonly names: readonly string[]
}

export interface RuleCredentials {
  /** Of a gateway, but for those that it serves already. */
  forGateway(context: Context, namespace: string, served: readonly Part[]): readonly Part[]
  /** Of a sidecar, by the rules that select it. */
  forSidecar(context: Context, namespace: string, selectedRules: readonly string[]): readonly Part[]
}

export function createRuleCredentials(graph: Graph, model: MeshModel): RuleCredentials {
  const { kinds } = model.inputs
  const family = (label: string, resources: (context: Context, credential: string, place: CredentialPlace) => Resource[]) =>
    new Family<Interned<CredentialKey>, Part>(
      label,
      (context, { value: { namespace, names } }) =>
        partOf(
          names.flatMap((credential) => {
            const place = credentialPlace(credential, namespace)
            // A proxy that could name another namespace's secrets could read them.
            return place?.namespace === namespace ? resources(context, credential, place) : []
          }),
        ),
      { equal: equalParts },
    )
  const secrets = family('ruleSecrets', (context, credential, { namespace, name }) => {
    const secret = (suffix: string) => context.get(kinds['core/Secret'], `${namespace}/${name}${suffix}`)
    return secretResources(credentialResource(credential), secret(''), secret(authoritiesOf('')))
  })
  const configMaps = family('ruleConfigMaps', (context, credential, { namespace, name }) =>
    secretResources(credentialResource(credential), context.get(kinds['core/ConfigMap'], `${namespace}/${name}`), undefined),
  )

  const parts = (context: Context, namespace: string, names: readonly string[]): readonly Part[] => {
    if (names.length === 0) return []
    const key = (list: readonly string[]) => graph.intern<CredentialKey>({ namespace, names: [...new Set(list)].sort() })
    const [secret, open] = [names.filter(needsRight), names.filter((name) => !needsRight(name))]
    return [context.read(secrets, key(secret)), context.read(configMaps, key(open))]
  }
  const named = (context: Context): readonly string[] => context.texts(model.destinationRules, 'credential')
  const isServed = (served: readonly Part[], credential: string): boolean => {
    const name = credentialResource(credential)
    return served.some((part) => part.has(name) || part.has(authoritiesOf(name)))
  }

  return {
    forGateway: (context, namespace, served) =>
      parts(
        context,
        namespace,
        named(context).filter((credential) => !isServed(served, credential)),
      ),
    forSidecar: (context, namespace, selectedRules) => {
      const selected = selectedRules.flatMap((key) => {
        const rule = context.get(model.destinationRules, key)
        return rule ? policiesOf(rule.spec).flatMap(({ tls }) => tls?.credentialName || []) : []
      })
      return parts(context, namespace, [...selected.filter(needsRight), ...named(context).filter((name) => !needsRight(name))])
    },
  }
}
