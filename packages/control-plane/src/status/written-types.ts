/** Kinds whose status follows from the configuration, and which of them this control plane writes. */
import { RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { GATEWAY_API_TYPES, ISTIO_TYPES } from '@lateen/config'
import type { DiscoveryOptions } from '../options/discovery-options.ts'

/** By `group/kind`, how a kind is addressed; undefined for kinds whose status is not written. */
export function writtenTypes({ gatewayApi, autoAddresses }: DiscoveryOptions['statuses']): (kind: string) => ResourceType | undefined {
  const types = [
    RESOURCE_TYPES.Ingress,
    ...(gatewayApi ? GATEWAY_API_TYPES : []),
    ...(autoAddresses ? ISTIO_TYPES.filter(({ kind }) => kind === 'ServiceEntry') : []),
  ]
  const byKind = new Map(types.map((type) => [`${type.group}/${type.kind}`, type]))
  return (kind) => byKind.get(kind)
}

/** How a kind of Istio's API is addressed, by `group/kind`. */
export const istioType = (kind: string): ResourceType | undefined => ISTIO_TYPES.find((type) => `${type.group}/${type.kind}` === kind)
