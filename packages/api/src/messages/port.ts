/** Ports as routes, gateways and sidecars name them. */
import { message, required, type Static, text, uint32 } from '../schema/define.ts'

/** Picks a port of a service by its number. */
export const PortSelector = message('PortSelector', { number: uint32('Number of the port.') })
export interface PortSelector extends Static<typeof PortSelector> {}

/** A port that a gateway opens. */
export const Port = message('Port', {
  number: required(uint32('Number of the port, 1 to 65535.')),
  protocol: required(text('HTTP, HTTPS, GRPC, GRPC-WEB, HTTP2, MONGO, REDIS, MYSQL, TCP or TLS.')),
  name: required(text('Name of the port, unique within the object.')),
  targetPort: uint32('Not used by gateways.'),
})
export interface Port extends Static<typeof Port> {}

/** A port of a sidecar's listener. */
export const SidecarPort = message('SidecarPort', {
  number: uint32('Number of the port, 1 to 65535; 0 on egress means any.'),
  protocol: text('HTTP, HTTPS, GRPC, GRPC-WEB, HTTP2, MONGO, REDIS, MYSQL, TCP or TLS.'),
  name: text('Name of the port.'),
  targetPort: uint32('Not used by sidecars.'),
})
export interface SidecarPort extends Static<typeof SidecarPort> {}
