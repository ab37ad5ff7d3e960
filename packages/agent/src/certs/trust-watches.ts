/**
 * What the control plane says of trust, put in force: roots go to Envoy, a new issuer has the certificate renewed. Each is
 * acknowledged when it is in force and not when it has arrived: on that a change of the mesh's root waits.
 */
import { decodeIssuer, decodeRoots, TRUST_TYPE } from '@lateen/ca'
import type { Watch } from '@lateen/xds/client'
import type { SteeredIdentity } from './identity.ts'

export interface TrustWatchOptions {
  readonly identity: SteeredIdentity
  /** The control plane is the CA: what it says of roots is all there is to know. */
  readonly complete: boolean
  /** Fulfilled once Envoy has taken the present version of a secret. */
  readonly settled: (secret: string) => Promise<void>
}

export function trustWatches({ identity, complete, settled }: TrustWatchOptions): Watch[] {
  const roots: Watch = {
    typeUrl: TRUST_TYPE.roots,
    restated: true,
    update: async ([resource]) => {
      if (!resource?.bytes) return
      identity.setTrust(decodeRoots(resource.bytes), complete)
      await settled('ROOTCA')
    },
    // It may be of before a change of the root: it counts beside what is mounted.
    restored: ([resource]) => {
      if (resource?.bytes) identity.setTrust(decodeRoots(resource.bytes), false)
    },
  }
  const issuer: Watch = {
    typeUrl: TRUST_TYPE.issuer,
    restated: true,
    update: async ([resource]) => {
      if (!resource?.bytes || !complete) return
      await identity.issuedUnder(decodeIssuer(resource.bytes))
      await settled('default')
    },
    restored: () => undefined,
  }
  return [roots, issuer]
}
