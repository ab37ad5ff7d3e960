/** The local cluster: controllers, node agent, network, image catalogue. */
export { checkHost, type HostCheck } from './check-host.ts'
export { type Cluster, type ClusterOptions, type ClusterStatus, type NodeSettings, startCluster } from './cluster.ts'
export { destroyNode, type EnterNodeOptions, enterNode, NodeError, type NodeNamespaces, type UidMapping } from './enter-node.ts'
export { findProgram } from './find-program.ts'
export { BUILT_IN_IMAGES } from './images/built-in.ts'
export { type Image, ImageCatalogue, type ImageEntry, ImageFileError, readImageFile, UnknownImage } from './images/catalogue.ts'
export type { ListWatchFunction } from './kube/store.ts'
export {
  type HostPortClaim,
  HostPortClient,
  type HostPortHolder,
  type HostPortState,
  HostPorts,
  holderOfPort,
  portProblem,
} from './network/host-ports.ts'
export { OUTSIDE_DNS, OUTSIDE_PROGRAM, Outside, outsideProgram } from './network/outside.ts'
export type { LogOptions } from './node/container-log.ts'
export { type PodBackend, PodRequestError, type PodStreams } from './node/pod-backend.ts'
