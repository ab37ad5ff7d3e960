/** The relay between Envoy and the control plane, set up for this proxy: who it is, whom it trusts, which names it wants. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { credentials, Metadata } from '@grpc/grpc-js'
import { TYPE_URL } from '@lateen/envoy'
import { XdsRelay } from '@lateen/xds/client'
import { readToken } from '../certs/ca-client.ts'
import type { IdentitySource } from '../certs/identity.ts'
import type { AgentSettings } from '../settings/settings.ts'

/** Makes the relay. `onNames` is given each name table, as encoded, where the agent answers DNS. */
export function createRelay(settings: AgentSettings, identity: IdentitySource, onNames: (table: Buffer) => void): XdsRelay {
  const { discovery, files, dns } = settings
  return new XdsRelay({
    listen: `unix:${files.xdsSocket}`,
    cacheFile: join(files.configFolder, 'last-good', 'configuration.bin'),
    upstream: {
      address: discovery.address,
      ...(discovery.plaintext ? {} : { credentials: () => tls(settings, identity) }),
      metadata: () => headers(settings),
      channelOptions: { 'grpc.ssl_target_name_override': discovery.serverName, 'grpc.default_authority': discovery.serverName },
    },
    watches: dns.enabled
      ? [
          {
            typeUrl: TYPE_URL.NDS,
            update: (changed) => {
              for (const { bytes } of changed) if (bytes) onNames(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
            },
          },
        ]
      : [],
  })
}

/** The certificate proves who this is; where there is none yet, the token alone does. */
function tls({ discovery }: AgentSettings, identity: IdentitySource) {
  const roots = discovery.rootFile ? readFileSync(discovery.rootFile) : null
  const held = identity.current
  return held ? credentials.createSsl(roots, Buffer.from(held.keyPem), Buffer.from(held.chainPem)) : credentials.createSsl(roots)
}

async function headers({ discovery, certificates, clusterId }: AgentSettings): Promise<Metadata> {
  const metadata = new Metadata()
  metadata.set('clusterid', clusterId)
  const token = discovery.sendToken ? await readToken(certificates.tokenFile) : undefined
  if (token) metadata.set('authorization', `Bearer ${token}`)
  return metadata
}
