/** The gRPC service, with messages passed through as bytes in both directions. */
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js'

const SERVICE = '/envoy.service.discovery.v3.AggregatedDiscoveryService'
export const DELTA_PATH = `${SERVICE}/DeltaAggregatedResources`
export const SOTW_PATH = `${SERVICE}/StreamAggregatedResources`

/** For `serialize` and `deserialize`: messages are buffers already. */
export const passThrough = (message: Buffer): Buffer => message

function bidirectional(path: string): MethodDefinition<Buffer, Buffer> {
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: passThrough,
    requestDeserialize: passThrough,
    responseSerialize: passThrough,
    responseDeserialize: passThrough,
  }
}

/** `envoy.service.discovery.v3.AggregatedDiscoveryService`, delta and state of the world. */
export const ADS = {
  deltaAggregatedResources: bidirectional(DELTA_PATH),
  streamAggregatedResources: bidirectional(SOTW_PATH),
} satisfies ServiceDefinition
