/** From the model to Envoy resources. */
export type { MeshInspection } from './inspection.ts'
export { createMesh, DEFAULT_MESH, type MeshOptions } from './mesh.ts'
export type { ConfigChange, MeshState, ProxyNode, ProxySession, StatusWatch } from './mesh-contract.ts'
