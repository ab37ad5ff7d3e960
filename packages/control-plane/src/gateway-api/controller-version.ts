/**
 * Annotation `gateway.istio.io/controller-version`: which generation of controllers deploys a Gateway. The greater number wins, so that
 * control planes of different versions in one cluster do not fight.
 */
import type { KubeObject } from '@lateen/api'

export const CONTROLLER_VERSION = 'gateway.istio.io/controller-version'
/** Istio's since 1.18, with whose objects ours agree. */
const OWN_VERSION = 5

/** Whether a Gateway is for a newer controller to deploy; what is no number is of a scheme to come. */
export function isForNewerController({ metadata }: KubeObject): boolean {
  const written = metadata.annotations?.[CONTROLLER_VERSION]
  return written !== undefined && !(/^[0-9]{1,9}$/.test(written) && Number(written) <= OWN_VERSION)
}
