/** The relay between Envoy and the control plane, set up for this proxy: who it is, whom it trusts, which names it wants. */
import { join } from 'node:path'
import { credentials, Metadata } from '@grpc/grpc-js'
import { joinSecretName } from '@lateen/ca'
import { TYPE_URL } from '@lateen/envoy'
import { type Watch, XdsRelay } from '@lateen/xds/client'
import { readToken } from '../certs/ca-client.ts'
import type { IdentitySource, SteeredIdentity } from '../certs/identity.ts'
import { serverRoots, signedByControlPlane } from '../certs/identity-source.ts'
import { trustWatches } from '../certs/trust-watches.ts'
import type { AgentSettings } from '../settings/settings.ts'

export interface RelayParts {
  readonly identity: IdentitySource
  readonly steered: SteeredIdentity | undefined
  /** Fulfilled once Envoy has taken the present version of a secret. */
  readonly settled: (secret: string) => Promise<void>
  /** Given each name table, as encoded, where the agent answers DNS. */
  readonly onNames: (table: Buffer) => void
}

/** Makes the relay. */
export function createRelay(settings: AgentSettings, { identity, steered, settled, onNames }: RelayParts): XdsRelay {
  const { discovery, files, dns } = settings
  const names: Watch = {
    typeUrl: TYPE_URL.NDS,
    update: (changed) => {
      for (const { bytes } of changed) if (bytes) onNames(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
    },
  }
  const trust = steered ? trustWatches({ identity: steered, complete: signedByControlPlane(settings), settled }) : []
  return new XdsRelay({
    listen: `unix:${files.xdsSocket}`,
    cacheFile: join(files.configFolder, 'last-good', 'configuration.bin'),
    upstream: {
      address: discovery.address,
      ...(discovery.plaintext ? {} : { credentials: () => tls(settings, identity, steered) }),
      metadata: () => headers(settings),
      channelOptions: { 'grpc.ssl_target_name_override': discovery.serverName, 'grpc.default_authority': discovery.serverName },
    },
    watches: [...(dns.enabled ? [names] : []), ...trust],
  })
}

/** The certificate proves who this is; where there is none yet, the token alone does. */
function tls({ discovery }: AgentSettings, identity: IdentitySource, steered: SteeredIdentity | undefined) {
  const roots = discovery.rootFile ? Buffer.from(serverRoots(discovery.rootFile, steered)) : null
  const held = identity.current
  return held ? credentials.createSsl(roots, Buffer.from(held.keyPem), Buffer.from(held.chainPem)) : credentials.createSsl(roots)
}

async function headers({ discovery, certificates, clusterId }: AgentSettings): Promise<Metadata> {
  const metadata = new Metadata()
  metadata.set('clusterid', clusterId)
  const token = discovery.sendToken ? await readToken(certificates.tokenFile) : undefined
  if (token && joinSecretName(token) === undefined) metadata.set('authorization', `Bearer ${token}`)
  return metadata
}
