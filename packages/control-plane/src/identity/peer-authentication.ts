/** How the xDS server learns who is at the other end of a stream. */
import type { Metadata } from '@grpc/grpc-js'
import { type PeerIdentity, SessionRefused } from '@lateen/xds'
import type { Authenticator } from './authenticator.ts'
import { ReviewUnavailable } from './token-reviewer.ts'

export interface PeerAuthenticationOptions {
  /** Streams over TLS must prove who they are. */
  readonly authenticate: boolean
  /** Streams in plain text must as well; without it they have no identity, and are served what needs none. */
  readonly authenticatePlaintext: boolean
}

export function authenticatePeer(
  authenticator: Authenticator,
  options: PeerAuthenticationOptions,
): (metadata: Metadata, peer: PeerIdentity) => Promise<PeerIdentity> {
  return async (metadata, peer) => {
    const needed = peer.encrypted ? options.authenticate : options.authenticatePlaintext
    if (!needed) return peer
    const [authorization] = metadata.get('authorization')
    try {
      const result = await authenticator.authenticate({
        certificateIdentities: peer.identities,
        authorization: typeof authorization === 'string' ? authorization : undefined,
      })
      if ('refused' in result) throw new SessionRefused(`authentication failed: ${result.refused}`)
      return { ...peer, identities: result.identities }
    } catch (error) {
      if (error instanceof ReviewUnavailable) throw new SessionRefused(error.message)
      throw error
    }
  }
}
