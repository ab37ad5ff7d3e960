/** What makes a ProxyConfig unusable. */
import { checkSelector } from '../../validation/selectors.ts'
import type { Subject } from '../../validation/subject.ts'
import { checkNotNegative } from '../../validation/values.ts'
import type { ProxyConfigSpec } from './proxy-config.ts'

export function checkProxyConfig({ spec, at }: Subject<ProxyConfigSpec>): void {
  checkSelector(spec.selector, at.in('selector'))
  checkNotNegative(spec.concurrency, at.in('concurrency'))
}
