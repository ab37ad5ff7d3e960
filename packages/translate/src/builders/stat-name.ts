/** `outboundClusterStatName` and `inboundClusterStatName` of the mesh: under which name a cluster's statistics appear. */
import type { Service, ServicePort } from '@lateen/model'
import type { ClusterInit } from '../features/cluster-feature.ts'

export interface StatNameInput {
  readonly service: Pick<Service, 'host' | 'name' | 'namespace'> & { readonly origin: { readonly kind: string } }
  readonly port: Pick<ServicePort, 'number' | 'name' | 'target'>
  readonly subset: string
}

/**
 * The pattern with its `%…%` filled in; nothing without a pattern. The name ends in `;`, by which the proxy's own rules find the end
 * of a cluster's name in the name of a statistic.
 */
export function statName(pattern: string | undefined, input: StatNameInput): Pick<ClusterInit, 'altStatName'> {
  return pattern ? { altStatName: filledName(pattern, input) } : {}
}

/** A pattern with its values. */
export function filledName(pattern: string, { service, port, subset }: StatNameInput): string {
  const values: Readonly<Record<string, string>> = {
    '%SERVICE%': shortHost(service),
    '%SERVICE_NAME%': service.name,
    '%SERVICE_FQDN%': service.host,
    '%SERVICE_PORT%': String(port.number),
    '%SERVICE_PORT_NAME%': port.name,
    '%TARGET_PORT%': String(port.target),
    '%SUBSET_NAME%': subset,
  }
  const name = pattern.replace(/%[A-Z_]+%/g, (found) => values[found] ?? found)
  return `${name};`
}

/** `cart.shop` of a Kubernetes Service; the whole host of others. */
const shortHost = ({ origin, host, name, namespace }: StatNameInput['service']): string =>
  origin.kind === 'Service' ? `${name}.${namespace}` : host
