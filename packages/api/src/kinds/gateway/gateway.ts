/** Gateway: the ports, hosts and certificates of a proxy at the edge of the mesh. */
import { Port } from '../../messages/port.ts'
import { ServerTLSSettings } from '../../messages/server-tls-settings.ts'
import { list, map, message, of, required, type Static, text } from '../../schema/define.ts'
import { defineKind, versions } from '../kind.ts'

export const Server = message('Server', {
  port: required(of(Port, 'Port that the proxy listens on.')),
  bind: text('Address or unix socket to listen on; all addresses when unset.'),
  hosts: required(list(text(), 'Hosts that may be served, as host or namespace/host, with a leading * as wildcard.')),
  tls: of(ServerTLSSettings, 'TLS of the port.'),
  defaultEndpoint: text('Not supported.'),
  name: text('Names the server; unique among all servers.'),
})
export interface Server extends Static<typeof Server> {}

export const GatewaySpec = message('Gateway', {
  servers: list(of(Server), 'What is served.'),
  selector: map(text(), 'Labels of the pods that the gateway runs on.'),
})
export interface GatewaySpec extends Static<typeof GatewaySpec> {}

export const GatewayKind = defineKind({
  group: 'networking.istio.io',
  kind: 'Gateway',
  plural: 'gateways',
  shortNames: ['gw'],
  versions: versions('v1', 'v1alpha3', 'v1beta1'),
  description: 'The ports, hosts and certificates of a proxy at the edge of the mesh.',
  spec: GatewaySpec,
})
