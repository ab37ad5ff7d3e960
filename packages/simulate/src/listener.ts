/** Which listener takes a connection. */
import type { Listener } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'

/** Where a connection comes to, and how. */
export interface Arrival {
  readonly mode: 'inbound' | 'outbound' | 'gateway'
  readonly address: string
  readonly port: number
}

/** Inbound calls are redirected to one listener; others go to the one bound to their address, else to the catch-all. */
export function listenerFor(listeners: readonly Listener[], call: Arrival): Listener | undefined {
  if (call.mode === 'inbound') return listeners.find((listener) => listener.name === 'virtualInbound')
  const bound = (address: string) => listeners.find((listener) => boundTo(listener, address, call.port))
  return bound(call.address) ?? bound('0.0.0.0') ?? bound('::') ?? listeners.find((listener) => listener.name === 'virtualOutbound')
}

function boundTo(listener: Listener, address: string, port: number): boolean {
  const addresses = [listener.address, ...listener.additionalAddresses.map((additional) => additional.address)]
  return addresses.some((entry) => {
    const socket = entry?.address
    return socket?.case === 'socketAddress' && socket.value.address === address && socket.value.portSpecifier.value === port
  })
}
