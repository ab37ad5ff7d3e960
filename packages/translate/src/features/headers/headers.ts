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

/** The operations of a route, and of its destination where it has but one. */
export const headers: RouteFeature = (route) => {
  const [only, ...more] = route.route ?? []
  const own = headerInit(route.headers ?? {})
  const destination = more.length === 0 ? headerInit(only?.headers ?? {}) : {}
  return { route: { ...own, ...destination, ...both(own, destination) } }
}

/** Fields that both have, one after the other. */
function both(a: HeaderInit, b: HeaderInit): HeaderInit {
  return {
    ...(a.requestHeadersToAdd && b.requestHeadersToAdd && { requestHeadersToAdd: [...a.requestHeadersToAdd, ...b.requestHeadersToAdd] }),
    ...(a.requestHeadersToRemove &&
      b.requestHeadersToRemove && { requestHeadersToRemove: [...a.requestHeadersToRemove, ...b.requestHeadersToRemove] }),
    ...(a.responseHeadersToAdd &&
      b.responseHeadersToAdd && { responseHeadersToAdd: [...a.responseHeadersToAdd, ...b.responseHeadersToAdd] }),
    ...(a.responseHeadersToRemove &&
      b.responseHeadersToRemove && { responseHeadersToRemove: [...a.responseHeadersToRemove, ...b.responseHeadersToRemove] }),
  }
}

/** Header operations as both routes and weighted clusters carry them. The host is set by a rewrite, never here. */
export function headerInit(operations: Headers): HeaderInit {
  const requestAdded = added(operations.request)
  const requestRemoved = removed(operations.request)
  const responseAdded = added(operations.response)
  const responseRemoved = removed(operations.response)
  return {
    ...(requestAdded.length > 0 && { requestHeadersToAdd: requestAdded }),
    ...(requestRemoved.length > 0 && { requestHeadersToRemove: requestRemoved }),
    ...(responseAdded.length > 0 && { responseHeadersToAdd: responseAdded }),
    ...(responseRemoved.length > 0 && { responseHeadersToRemove: responseRemoved }),
  }
}

/** The host that operations set (or, failing that, add), which Envoy takes only as a rewrite. */
export function hostOf(operations: Headers | undefined): string | undefined {
  const find = (map: Readonly<Record<string, string>> | undefined) => Object.entries(map ?? {}).find(([name]) => isHost(name))?.[1]
  return find(operations?.request?.set) || find(operations?.request?.add)
}

const isHost = (name: string): boolean => name.toLowerCase() === 'host' || name.toLowerCase() === ':authority'

/** Envoy refuses to change these. */
const isInternal = (name: string): boolean => name.startsWith(':') || name.toLowerCase() === 'host'

const removed = (operations: HeaderOperations | undefined): string[] => (operations?.remove ?? []).filter((name) => !isInternal(name))

/** What is set comes first, so that a header both set and added has both values. */
function added(operations: HeaderOperations | undefined): OptionInit[] {
  return [...options(operations?.set, Append.OVERWRITE_IF_EXISTS_OR_ADD), ...options(operations?.add, Append.APPEND_IF_EXISTS_OR_ADD)]
}

function options(map: Readonly<Record<string, string>> | undefined, appendAction: HeaderValueOption_HeaderAppendAction): OptionInit[] {
  return Object.entries(map ?? {})
    .filter(([name]) => !isInternal(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => ({ header: { key, value }, appendAction }))
}
