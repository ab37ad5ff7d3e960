/**
 * Annotation `gateway.istio.io/controller-version`: which generation of controllers deploys a Gateway. The greater number wins, so that
 * control planes of different versions in one cluster do not fight.
 */
import type { KubeObject } from '@lateen/api'

export const CONTROLLER_VERSION = 'gateway.istio.io/controller-version'
/** Istio's since 1.18, with whose objects ours agree. */
export const OWN_VERSION = 5

/** `ours`: deploy it; `take`: deploy it, and say so on it; `theirs`: leave it. */
export function ownership({ metadata }: KubeObject): 'ours' | 'take' | 'theirs' {
  const written = metadata.annotations?.[CONTROLLER_VERSION]
  if (written === undefined) return 'take'
  // What is no number is of a scheme to come.
  if (!/^[0-9]{1,9}$/.test(written) || Number(written) > OWN_VERSION) return 'theirs'
  return Number(written) === OWN_VERSION ? 'ours' : 'take'
}
