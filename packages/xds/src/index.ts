/** The xDS server and its contract with whoever makes resources. The client side is `@lateen/xds/client`. */
export * from './resource-source.ts'
export type { CallerProofs } from './server/caller-proofs.ts'
export { type GrpcPort, type GrpcPortOptions, openGrpcPort } from './server/grpc-port.ts'
export type { AnswerPart, Inquiries, Question } from './server/inquiries.ts'
export { CONNECTION_LIMITS, DEFAULT_LIMITS, type XdsLimits } from './server/limits.ts'
export type { XdsObserver } from './server/observer.ts'
export {
  createXdsServer,
  grpcServerOptions,
  type RunningListener,
  type StartOptions,
  type XdsServer,
  type XdsServerOptions,
} from './server/server.ts'
export type { ConnectionStatus, TypeStatus } from './server/status.ts'
export { CertificateStore, type ServerCertificate } from './server/tls.ts'
