/** The check of load balancing. */
import type { At } from '../../diagnostics/at.ts'
import { checkLocality } from '../../validation/locality.ts'
import { checkDuration } from '../../validation/values.ts'
import type { ConsistentHashLB, LoadBalancerSettings, WarmupConfiguration } from './destination-rule.ts'

export function checkLoadBalancer(
  settings: LoadBalancerSettings | undefined,
  at: At,
  options: { readonly outlierDetection: boolean },
): void {
  if (!settings) return
  checkConsistentHash(settings.consistentHash, at.in('consistentHash'))
  checkLocality(settings.localityLbSetting, at.in('localityLbSetting'), options)
  checkWarmup(settings.warmup, at.in('warmup'))
}

function checkWarmup(warmup: WarmupConfiguration | undefined, at: At): void {
  if (!warmup) return
  if (warmup.duration === undefined) at.in('duration').say('WarmupMissing')
  checkDuration(warmup.duration, at.in('duration'))
  if ((warmup.minimumPercent ?? 0) > 100) at.in('minimumPercent').say('PercentRange', { value: warmup.minimumPercent ?? 0 })
  if (warmup.aggression !== undefined && warmup.aggression < 1) at.in('aggression').say('WarmupAggression', { value: warmup.aggression })
}

/** Envoy's limit for Maglev tables. */
const LARGEST_TABLE = 5_000_011

function checkConsistentHash(hash: ConsistentHashLB | undefined, at: At): void {
  if (!hash) return
  if (hash.httpCookie && !hash.httpCookie.name) at.in('httpCookie', 'name').say('CookieName')
  if (hash.minimumRingSize) {
    at.in('minimumRingSize').say('DeprecatedField', { field: 'minimumRingSize', better: 'ringHash.minimumRingSize' })
    if (hash.ringHash || hash.maglev) at.say('RingSizeTwice')
  }
  const size = hash.maglev?.tableSize ?? 0
  if (hash.maglev && (size === 0 || size >= LARGEST_TABLE || !isPrime(size))) at.in('maglev', 'tableSize').say('MaglevSize', { size })
}

function isPrime(number: number): boolean {
  if (number < 4) return number > 1
  if (number % 2 === 0) return false
  for (let factor = 3; factor * factor <= number; factor += 2) if (number % factor === 0) return false
  return true
}
