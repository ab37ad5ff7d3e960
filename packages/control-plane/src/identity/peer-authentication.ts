/** How the xDS server learns who is at the other end of a stream. */
import { BlockList } from 'node:net'
import type { Metadata } from '@grpc/grpc-js'
import { type PeerIdentity, SessionRefused } from '@lateen/xds'
import type { Authenticator } from './authenticator.ts'
import { ReviewUnavailable } from './token-reviewer.ts'

export interface PeerAuthenticationOptions {
  /** Streams over TLS must prove who they are. */
  readonly authenticate: boolean
  /**
   * Which streams in plain text must as well; the others have no identity, and are served what needs none. `outside`: those that come
   * from another machine or pod.
   */
  readonly authenticatePlaintext: 'always' | 'outside' | 'never'
}

export function authenticatePeer(
  authenticator: Authenticator,
  options: PeerAuthenticationOptions,
): (metadata: Metadata, peer: PeerIdentity) => Promise<PeerIdentity> {
  return async (metadata, peer) => {
    const needed = peer.encrypted ? options.authenticate : plaintextNeedsProof(peer.address, options.authenticatePlaintext)
    if (!needed) return peer
    const [authorization] = metadata.get('authorization')
    try {
      const result = await authenticator.authenticate({
        certificateIdentities: peer.identities,
        certificate: peer.certificate,
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

// Being on loopback proves nothing, and nothing that needs proof is served for it; but from outside the port gives nothing away.
function plaintextNeedsProof(address: string, rule: PeerAuthenticationOptions['authenticatePlaintext']): boolean {
  return rule === 'always' || (rule === 'outside' && !isLoopback(address))
}

/** `127.0.0.1:4711`, `[::1]:4711`, `[::ffff:127.0.0.1]:4711`. */
function isLoopback(address: string): boolean {
  const host = address.slice(0, Math.max(0, address.lastIndexOf(':'))).replace(/^\[|\]$/g, '')
  return LOOPBACK.check(host.replace(/^::ffff:/i, ''), host.includes('.') ? 'ipv4' : 'ipv6')
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')
