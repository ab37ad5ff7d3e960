/** What HTTP filters of a chain do with a request, one after the other. */
import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { type Any, anyIs, anyUnpack } from '@bufbuild/protobuf/wkt'
import { FilterConfigSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import type { FilterNotes } from '../matching/metadata-match.ts'
import type { MatchContext } from '../matching/route-match.ts'
import type { TraceCall } from '../trace/call.ts'
import type { FormatContext } from '../trace/format.ts'
import type { End, FilterVerdict } from '../trace/outcome.ts'

export interface FilterContext {
  readonly call: TraceCall
  readonly match: MatchContext
  readonly format: FormatContext
  readonly notes: FilterNotes
}

/** One thing that a filter may do, and how often: shares of one filter add up to 1. */
export interface FilterBranch {
  readonly share: number
  readonly verdict?: FilterVerdict
  readonly delayMs?: number
  /** What it notes for filters behind it. */
  readonly notes?: FilterNotes
  /** Absent when the request goes on. */
  readonly end?: End
}

export const GOES_ON: readonly FilterBranch[] = [{ share: 1 }]

/** Settings of one filter for one request: the chain's own, and the one that the route has for it. */
export interface FilterSettings {
  readonly name: string
  readonly config: Any | undefined
  readonly perRoute: Any | undefined
}

/** A filter's configuration when it is of a type. */
export function settingsAs<D extends DescMessage>(any: Any | undefined, schema: D): MessageShape<D> | undefined {
  return any && anyIs(any, schema) ? anyUnpack(any, schema) : undefined
}

/** The most specific setting of a filter among levels: weighted cluster, route, virtual host, route configuration. */
export function perRouteSetting(
  levels: readonly ({ readonly typedPerFilterConfig: Readonly<Record<string, Any>> } | undefined)[],
  filter: string,
): { readonly config: Any | undefined; readonly disabled: boolean } | undefined {
  for (const level of levels) {
    const any = level?.typedPerFilterConfig[filter]
    if (!any) continue
    const wrapped = settingsAs(any, FilterConfigSchema)
    return wrapped ? { config: wrapped.config, disabled: wrapped.disabled } : { config: any, disabled: false }
  }
  return undefined
}
