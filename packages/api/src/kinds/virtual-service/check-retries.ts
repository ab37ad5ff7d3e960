/** The check of retries. */
import type { At } from '../../diagnostics/at.ts'
import { didYouMean } from '../../diagnostics/suggest.ts'
import { checkDuration } from '../../validation/values.ts'
import type { HTTPRetry } from './virtual-service.ts'

const CONDITIONS = [
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'envoy-ratelimited',
  'http3-post-connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]

export function checkRetries(retries: HTTPRetry | undefined, at: At): void {
  if (!retries) return
  const { attempts = 0 } = retries
  if (attempts < 0) at.in('attempts').say('RetryNegative', { value: attempts })
  const set = (['perTryTimeout', 'retryOn', 'retryRemoteLocalities'] as const).find(
    (field) => retries[field] !== undefined && retries[field] !== '',
  )
  if (attempts === 0 && set) at.say('RetriesOffButSet', { field: set })
  checkDuration(retries.perTryTimeout, at.in('perTryTimeout'))
  checkDuration(retries.backoff, at.in('backoff'))
  if (!retries.retryOn) return
  for (const policy of retries.retryOn.split(',')) {
    if (!CONDITIONS.includes(policy) && !isStatus(policy))
      at.in('retryOn').say('RetryPolicy', { policy, hint: didYouMean(policy, CONDITIONS) })
  }
}

const STATUS_RANGES: readonly (readonly [number, number])[] = [
  [100, 103],
  [200, 208],
  [226, 226],
  [300, 305],
  [307, 308],
  [400, 418],
  [421, 426],
  [428, 429],
  [431, 431],
  [451, 451],
  [500, 508],
  [510, 511],
]

/** A status code that HTTP assigns. */
function isStatus(text: string): boolean {
  return /^\d{3}$/.test(text) && STATUS_RANGES.some(([least, most]) => Number(text) >= least && Number(text) <= most)
}
