/** All destinations of a VirtualService, each with its place. */
import type { Destination, VirtualServiceSpec } from '@lateen/api'

export interface PlacedDestination {
  readonly destination: Destination
  readonly path: string
}

const NOWHERE: Destination = { host: '' }

export function routeDestinations({ tcp = [], tls = [], http = [] }: VirtualServiceSpec): PlacedDestination[] {
  const rules = { tcp, tls, http }
  return (['tcp', 'tls', 'http'] as const).flatMap((field) =>
    rules[field].flatMap(({ route = [] }, i) =>
      route.map(({ destination = NOWHERE }, j) => ({ destination, path: `spec.${field}[${i}].route[${j}].destination.host` })),
    ),
  )
}

export function mirrorDestinations({ http = [] }: VirtualServiceSpec): PlacedDestination[] {
  return http.flatMap(({ mirror, mirrors = [] }, i) => [
    ...(mirror ? [{ destination: mirror, path: `spec.http[${i}].mirror.host` }] : []),
    ...mirrors.map(({ destination = NOWHERE }, j) => ({ destination, path: `spec.http[${i}].mirrors[${j}].destination.host` })),
  ])
}
