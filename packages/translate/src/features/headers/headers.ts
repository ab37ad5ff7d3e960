/** `http[].headers` of a VirtualService, at the route; destinations' own headers are put on their weighted cluster. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { HeaderOperations, Headers } from '@lateen/api'
import {
  HeaderValueOption_HeaderAppendAction as Append,
  type HeaderValueOption_HeaderAppendAction,
  type HeaderValueOptionSchema,
} from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import type { RouteFeature } from '../route-feature.ts'

type OptionInit = MessageInitShape<typeof HeaderValueOptionSchema>

export interface HeaderInit {
  readonly requestHeadersToAdd?: OptionInit[]
  readonly requestHeadersToRemove?: string[]
  readonly responseHeadersToAdd?: OptionInit[]
  readonly responseHeadersToRemove?: string[]
}

export const headers: RouteFeature = (route) => (route.headers ? { route: { ...headerInit(route.headers) } } : undefined)

/** Header operations as both routes and weighted clusters carry them. `Host` is set by a rewrite, never here. */
export function headerInit(operations: Headers): HeaderInit {
  const request = operations.request
  const response = operations.response
  return {
    ...(added(request).length > 0 && { requestHeadersToAdd: added(request) }),
    ...(request?.remove?.length && { requestHeadersToRemove: [...request.remove] }),
    ...(added(response).length > 0 && { responseHeadersToAdd: added(response) }),
    ...(response?.remove?.length && { responseHeadersToRemove: [...response.remove] }),
  }
}

/** The host that an operation sets, which Envoy takes only as a rewrite. */
export function hostOf(operations: Headers | undefined): string | undefined {
  const set = Object.entries(operations?.request?.set ?? {}).find(([name]) => isHost(name))
  return set?.[1]
}

const isHost = (name: string): boolean => name.toLowerCase() === 'host' || name.toLowerCase() === ':authority'

function added(operations: HeaderOperations | undefined): OptionInit[] {
  return [...options(operations?.add, Append.APPEND_IF_EXISTS_OR_ADD), ...options(operations?.set, Append.OVERWRITE_IF_EXISTS_OR_ADD)]
}

function options(map: Readonly<Record<string, string>> | undefined, appendAction: HeaderValueOption_HeaderAppendAction): OptionInit[] {
  return Object.entries(map ?? {})
    .filter(([name]) => !isHost(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => ({ header: { key, value }, appendAction }))
}
