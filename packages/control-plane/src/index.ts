/** The control plane: `pilot-discovery` and its parts. */
export { type ControlPlane, type Ports, startControlPlane } from './control-plane.ts'
export { runDiscovery } from './discovery.ts'
export { type DiscoveryOptions, readOptions } from './options/discovery-options.ts'
export { runPilotDiscovery } from './pilot-discovery.ts'
