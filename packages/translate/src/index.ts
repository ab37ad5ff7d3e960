/** From the model to Envoy resources. */
export { createMesh, type MeshOptions } from './mesh.ts'
export type { ConfigChange, MeshState, ProxyNode, ProxySession } from './mesh-contract.ts'
