/** The embedded Kubernetes-style API server. */

export type { LocalClient, LocalListOptions, LocalListWatch, LocalWatchHandler, LocalWatchState } from './client/local-client.ts'
export { StatusError } from './errors.ts'
export type { ApiServerOptions, Listen, LogOptions, PodBackend, StreamIo } from './options.ts'
export { type ApiServer, startApiServer } from './server.ts'
export { StorageError } from './storage/store.ts'
