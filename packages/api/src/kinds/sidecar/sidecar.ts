/** Sidecar: which ports the proxy beside a workload takes, and which services it can reach. */
import { ConnectionPoolSettings } from '../../messages/connection-pool.ts'
import { Destination } from '../../messages/destination.ts'
import { SidecarPort } from '../../messages/port.ts'
import { ServerTLSSettings } from '../../messages/server-tls-settings.ts'
import { NetworkingWorkloadSelector } from '../../messages/workload-selector.ts'
import { list, message, of, oneOf, required, type Static, text } from '../../schema/define.ts'
import { defineKind, versions } from '../kind.ts'

const CAPTURE_MODES = ['DEFAULT', 'IPTABLES', 'NONE'] as const

export const IstioIngressListener = message('IstioIngressListener', {
  port: required(of(SidecarPort, 'Port of the listener.')),
  bind: text('Address to listen on; not a unix socket.'),
  captureMode: oneOf(CAPTURE_MODES, 'How traffic comes to the listener.'),
  defaultEndpoint: text('Where traffic goes: 127.0.0.1:port, [::1]:port, 0.0.0.0:port, [::]:port or a unix:// socket.'),
  tls: of(ServerTLSSettings, 'TLS that ends at the sidecar, for clients outside the mesh.'),
  connectionPool: of(ConnectionPoolSettings, 'Limits on connections to the workload at this port.'),
})
export interface IstioIngressListener extends Static<typeof IstioIngressListener> {}

export const IstioEgressListener = message('IstioEgressListener', {
  port: of(SidecarPort, 'Port of the listener; all ports when unset.'),
  bind: text('Address or unix socket to listen on.'),
  captureMode: oneOf(CAPTURE_MODES, 'How traffic comes to the listener.'),
  hosts: required(list(text(), 'Services that can be reached, as namespace/host; each part may be *, "." is the own namespace, "~" none.')),
})
export interface IstioEgressListener extends Static<typeof IstioEgressListener> {}

export const OutboundTrafficPolicy = message('OutboundTrafficPolicy', {
  mode: oneOf(['REGISTRY_ONLY', 'ALLOW_ANY'], 'Whether hosts that the mesh does not know can be reached.'),
  egressProxy: of(Destination, 'Not supported: where such traffic would go.'),
})
export interface OutboundTrafficPolicy extends Static<typeof OutboundTrafficPolicy> {}

export const SidecarSpec = message('Sidecar', {
  workloadSelector: of(NetworkingWorkloadSelector, 'Workloads of the namespace that this is for; all when unset.'),
  ingress: list(of(IstioIngressListener), "Ports for incoming traffic; from the workload's services when unset."),
  egress: list(of(IstioEgressListener), 'Services for outgoing traffic; all visible ones when unset.'),
  inboundConnectionPool: of(ConnectionPoolSettings, 'Limits on connections to the workload.'),
  outboundTrafficPolicy: of(OutboundTrafficPolicy, "What happens with traffic to unknown hosts; the mesh's setting when unset."),
})
export interface SidecarSpec extends Static<typeof SidecarSpec> {}

export const SidecarKind = defineKind({
  group: 'networking.istio.io',
  kind: 'Sidecar',
  plural: 'sidecars',
  versions: versions('v1', 'v1alpha3', 'v1beta1'),
  description: 'Which ports the proxy beside a workload takes, and which services it can reach.',
  spec: SidecarSpec,
})
