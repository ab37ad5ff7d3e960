/** Envoy's enums, by the files that define them. */
export { ApiConfigSource_ApiType, ApiVersion } from '@lateen/envoy/gen/envoy/config/core/v3/config_source_pb.js'
export { TrafficDirection } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
