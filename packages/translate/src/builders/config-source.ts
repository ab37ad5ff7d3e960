/** Where Envoy gets what a resource names: over the ADS stream, or, for its own certificate, from the agent. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { duration } from '@lateen/envoy'
import { ApiConfigSource_ApiType, ApiVersion, type ConfigSourceSchema } from '@lateen/envoy/gen/envoy/config/core/v3/config_source_pb.js'

export type ConfigSourceInit = MessageInitShape<typeof ConfigSourceSchema>

/**
 * The ADS stream. With `wait` 0 the resource that names it is not used before the answer has come; with a time it goes on
 * without after that time (milliseconds).
 */
export function ads(wait = 0): ConfigSourceInit {
  return { configSourceSpecifier: { case: 'ads', value: {} }, initialFetchTimeout: duration(wait), resourceApiVersion: ApiVersion.V3 }
}

/** The agent's secret service on its unix socket; the bootstrap has the cluster. */
export const AGENT_SECRETS: ConfigSourceInit = agentSecrets(0)

/** The same for files, which may be missing: connections are refused until they are there, and nothing else waits. */
const AGENT_FILES: ConfigSourceInit = agentSecrets(1000)

/** A key pair in files of the proxy's. */
export const fileCertificate = (chain: string, key: string) => ({ name: `file-cert:${chain}~${key}`, sdsConfig: AGENT_FILES })

/** Authorities in a file of the proxy's. */
export const fileAuthorities = (file: string) => ({ name: `file-root:${file}`, sdsConfig: AGENT_FILES })

function agentSecrets(wait: number): ConfigSourceInit {
  return {
    configSourceSpecifier: {
      case: 'apiConfigSource',
      value: {
        apiType: ApiConfigSource_ApiType.GRPC,
        transportApiVersion: ApiVersion.V3,
        setNodeOnFirstMessageOnly: true,
        grpcServices: [{ targetSpecifier: { case: 'envoyGrpc', value: { clusterName: 'sds-grpc' } } }],
      },
    },
    initialFetchTimeout: duration(wait),
    resourceApiVersion: ApiVersion.V3,
  }
}
