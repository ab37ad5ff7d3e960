/** Profiles and values to manifests. */
export { localMesh } from './local-mesh.ts'
export { type GatewayOptions, type LocalMeshOptions } from './options.ts'
export { chartValues, mergeTrees, type Tree } from './values.ts'
