/** For tests only: meshes from YAML, golden cases, real Envoy. */

export { findEnvoy, refusal } from './envoy.ts'
export { goldenCases, translateCase } from './golden.ts'
export {
  type CaseHeader,
  type CaseProxy,
  decodeResource,
  type MeshCase,
  meshOf,
  newMesh,
  openProxy,
  readCase,
  resourcesOf,
  SHOWN_TYPES,
} from './mesh-case.ts'
export { type RunningEnvoy, runEnvoy } from './run-envoy.ts'
export { staticBootstrap } from './static-bootstrap.ts'
