/** Policies on the graph: which hold for a workload, and the filters that they put into its chains. */
import type { Context } from '@lateen/graph'
import { authorizationPoliciesOf, type MeshModel, type PolicySubject, requestAuthenticationsOf, settingsOf } from '@lateen/model'
import type { HttpChain, PolicyFilters } from '../builders/filter-order.ts'
import {
  type AuthorizationInput,
  httpAuthorization,
  httpAuthorizers,
  networkAuthorization,
  networkAuthorizers,
} from '../features/authorization/authorization.ts'
import { authorizerOf } from '../features/external-authorization/authorizer.ts'
import { tokenFilters } from '../features/request-authentication/request-authentication.ts'
import { claimants } from './scope.ts'

/** The policies that hold for a workload, by key: what of them its class depends on. */
export interface PolicyKeys {
  readonly authorization: readonly string[]
  readonly authentication: readonly string[]
}

export function policyKeysOf(context: Context, model: MeshModel, subject: PolicySubject): PolicyKeys {
  return {
    authorization: authorizationPoliciesOf(context, model.inputs, model.authorizationPolicies, subject),
    authentication: requestAuthenticationsOf(context, model.inputs, model.requestAuthentications, subject),
  }
}

export function policyFilters(context: Context, model: MeshModel, keys: PolicyKeys, chain: HttpChain): PolicyFilters {
  const settings = settingsOf(context, model.inputs)
  const hostOf = (service: string) => serviceHost(context, model, service)
  const input: AuthorizationInput = {
    policies: keys.authorization.flatMap((key) => context.get(model.authorizationPolicies, key) ?? []),
    settings,
    authorizerOf: (name) => {
      const named = (settings.mesh.extensionProviders ?? []).filter((provider) => provider.name === name)
      const [provider] = named
      return provider && named.length === 1 && name !== '' ? authorizerOf(provider, hostOf) : undefined
    },
  }
  return {
    http: {
      authorizers: httpAuthorizers(input),
      authentication: tokenFilters({
        rules: keys.authentication.flatMap((key) => context.get(model.requestAuthentications, key)?.rules ?? []),
        routesByClaims: chain === 'gateway',
        keysFetchedBy: settings.switches.keysFetchedBy,
        keysOf: (id) => context.get(model.inputs.keySets, id),
        serviceOf: hostOf,
      }),
      authorization: httpAuthorization(input),
    },
    bytes: { authorizers: networkAuthorizers(input), authorization: networkAuthorization(input) },
  }
}

/** The host that `namespace/host`, or a host that only one namespace has, names; undefined for one that the mesh does not know. */
function serviceHost(context: Context, model: MeshModel, service: string): string | undefined {
  const slash = service.indexOf('/')
  const host = service.slice(slash + 1)
  if (host === '' || host.startsWith('*')) return undefined
  const namespaces = new Set(claimants(context, model, host).map((claimant) => claimant.namespace))
  if (slash >= 0) return namespaces.has(service.slice(0, slash)) ? host : undefined
  return namespaces.size === 1 ? host : undefined
}
