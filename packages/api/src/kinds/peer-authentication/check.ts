/** What makes a PeerAuthentication unusable. */
import { checkPort } from '../../validation/addresses.ts'
import { checkSelector } from '../../validation/selectors.ts'
import type { Subject } from '../../validation/subject.ts'
import type { PeerAuthenticationSpec } from './peer-authentication.ts'

export function checkPeerAuthentication({ spec, at }: Subject<PeerAuthenticationSpec>): void {
  const { selector, portLevelMtls } = spec
  const place = at.in('portLevelMtls')
  const ports = Object.keys(portLevelMtls ?? {})
  // Ports belong to a workload: for a whole namespace they would mean something else in each.
  if (ports.length > 0 && Object.keys(selector?.matchLabels ?? {}).length === 0) place.say('PortMtlsNeedsSelector')
  if (portLevelMtls && ports.length === 0) place.say('PortMtlsEmpty')
  for (const port of ports) checkPort(Number(port), place.key(port))
  checkSelector(selector, at.in('selector'))
}
