/** How long and how often a forwarded request is tried, and what else is done with it. */
import type {
  RetryPolicy,
  RouteAction,
  RouteAction_HashPolicy,
  VirtualHost,
} from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { fractionOf } from '../matching/route-match.ts'
import { milliseconds } from './milliseconds.ts'
import type { ForwardPolicy } from './outcome.ts'

/** Envoy's own where a route says nothing. */
const DEFAULT_TIMEOUT_MS = 15_000

export function forwardPolicy(action: RouteAction, host: VirtualHost | undefined): ForwardPolicy {
  const retry = action.retryPolicy ?? host?.retryPolicy
  const mirrors = action.requestMirrorPolicies.length > 0 ? action.requestMirrorPolicies : (host?.requestMirrorPolicies ?? [])
  return {
    timeoutMs: milliseconds(action.timeout) ?? DEFAULT_TIMEOUT_MS,
    ...(retry && { retries: retriesOf(retry) }),
    mirrors: mirrors.map(({ cluster, runtimeFraction }) => ({ cluster, share: fractionOf(runtimeFraction?.defaultValue, 1) })),
    hashedBy: action.hashPolicy.map(hashText),
  }
}

function retriesOf(retry: RetryPolicy): NonNullable<ForwardPolicy['retries']> {
  const perTryTimeoutMs = milliseconds(retry.perTryTimeout)
  return {
    attempts: retry.numRetries ?? 1,
    on: [
      ...retry.retryOn
        .split(',')
        .map((condition) => condition.trim())
        .filter((condition) => condition !== ''),
      ...retry.retriableStatusCodes.map(String),
    ],
    ...(perTryTimeoutMs !== undefined && { perTryTimeoutMs }),
  }
}

function hashText({ policySpecifier: specifier }: RouteAction_HashPolicy): string {
  switch (specifier.case) {
    case 'header':
      return `header ${specifier.value.headerName}`
    case 'cookie':
      return `cookie ${specifier.value.name}`
    case 'queryParameter':
      return `query ${specifier.value.name}`
    case 'connectionProperties':
      return 'source address'
    default:
      return specifier.case ?? 'nothing'
  }
}
