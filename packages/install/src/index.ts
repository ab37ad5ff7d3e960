/** Profiles and values to manifests. */
export { localMesh } from './local-mesh.ts'
export type { GatewayOptions, LocalMeshOptions } from './options.ts'
export { type Profile, profileSpec, profiles } from './profiles.ts'
export { chartValues, mergeTrees, type Tree } from './values.ts'
export { type ClientConfig, type RevisionTag, revisionTagWebhooks } from './webhooks.ts'
