/** MeshNetworks: which endpoints are in which network, and the gateways between (key `meshNetworks` of the ConfigMap `istio`). */
import { list, map, message, of, type Static, text, uint32 } from '../schema/define.ts'

export const NetworkEndpoints = message(
  'NetworkEndpoints',
  { fromCidr: text('Endpoints by their addresses.'), fromRegistry: text('Endpoints of the cluster with this name.') },
  { oneOfs: [['fromCidr', 'fromRegistry']] },
)
export interface NetworkEndpoints extends Static<typeof NetworkEndpoints> {}

export const IstioNetworkGateway = message(
  'IstioNetworkGateway',
  {
    registryServiceName: text("Full name of the gateway's service."),
    address: text('IP address or host name of the gateway.'),
    port: uint32('Port of the gateway.'),
    locality: text('Not used any more.'),
  },
  { oneOfs: [['registryServiceName', 'address']] },
)
export interface IstioNetworkGateway extends Static<typeof IstioNetworkGateway> {}

export const Network = message('Network', {
  endpoints: list(of(NetworkEndpoints), 'What is in the network.'),
  gateways: list(of(IstioNetworkGateway), 'How it is reached from other networks.'),
})
export interface Network extends Static<typeof Network> {}

export const MeshNetworks = message('MeshNetworks', { networks: map(of(Network), 'Networks by name.') })
export interface MeshNetworks extends Static<typeof MeshNetworks> {}
