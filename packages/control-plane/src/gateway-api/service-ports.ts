/** Listeners of a Gateway and of the ListenerSets that add to it, as ports of the Service that leads to it. */
import type { GatewayPort } from '@lateen/inject'
import type { ListenerView } from './gateway-spec.ts'

const STATUS_PORT: GatewayPort = { name: 'status-port', port: 15021, appProtocol: 'tcp' }
/** A Service's port has a name of at most this length, and without dots. */
const MAX_NAME = 63

/** The port of the health check first; of several listeners on one port, the first names it. */
export function servicePorts(listeners: readonly ListenerView[]): GatewayPort[] {
  const ports = new Map<number, GatewayPort>()
  listeners.forEach(({ name, port, protocol }, index) => {
    const appProtocol = protocol.toLowerCase()
    const portName = name?.replaceAll('.', '-').slice(0, MAX_NAME) || `${appProtocol}-${index}`
    if (!ports.has(port)) ports.set(port, { name: portName, port, appProtocol })
  })
  return [STATUS_PORT, ...ports.values()]
}
