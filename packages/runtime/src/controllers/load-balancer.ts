/** Services of type LoadBalancer get this machine's loopback address, and say which of their ports could not be opened there. */
import { objectKey } from '@lateen/api'
import { SERVICE } from '../kube/kinds.ts'
import type { IngressPort, Service } from '../kube/service.ts'
import { EventRecorder } from '../node/event-recorder.ts'
import { WorkQueue } from '../work-queue.ts'
import { canonical, type Controller, type ControllerContext } from './context.ts'

const ADDRESS = '127.0.0.1'

export function loadBalancerController(context: ControllerContext): Controller {
  const { services } = context.stores
  const { hostPorts } = context
  const events = new EventRecorder(context.client, 'service-controller', context.node.name)
  const queue = new WorkQueue({ name: 'LoadBalancer', reconcile })
  services.listen((key) => queue.add(key))
  hostPorts.onChange(() => {
    for (const service of services.all()) if (service.spec?.type === 'LoadBalancer') queue.add(objectKey(service))
  })
  return { stop: () => queue.stop() }

  async function reconcile(key: string): Promise<undefined> {
    const service = services.byKey(key)
    if (!service || service.metadata.deletionTimestamp) return undefined
    const known = service.status?.loadBalancer?.ingress ?? []
    if (service.spec?.type !== 'LoadBalancer' || service.spec.loadBalancerClass) {
      if (known.length > 0) await write(service, [])
      return undefined
    }
    const ports = (service.spec.ports ?? []).map((port): IngressPort => {
      const problem = hostPorts.loadBalancerPort(service, port.port)?.error
      return { port: port.port, protocol: port.protocol ?? 'TCP', ...(problem ? { error: 'PortNotOpenedOnHost' } : {}) }
    })
    const ingress = [{ ip: ADDRESS, hostname: 'localhost', ...(ports.some(({ error }) => error) ? { ports } : {}) }]
    if (canonical(ingress) === canonical(known)) return undefined
    await write(service, ingress)
    announce(service)
    return undefined
  }

  async function write(service: Service, ingress: readonly object[]): Promise<void> {
    await context.client.patch(SERVICE, service.metadata.namespace, service.metadata.name, { status: { loadBalancer: { ingress } } }, { type: 'application/merge-patch+json', subresource: 'status' })
  }

  function announce(service: Service): void {
    for (const { port, nodePort } of service.spec?.ports ?? []) {
      const problem = hostPorts.loadBalancerPort(service, port)?.error
      if (problem) events.record({ object: service }, 'Warning', 'PortNotOpened', `port ${port}: ${problem}${nodePort ? `. It can be reached on 127.0.0.1:${nodePort}` : ''}`)
      else events.record({ object: service }, 'Normal', 'EnsuredLoadBalancer', `port ${port} is on ${ADDRESS}:${hostPorts.hostPort(port)}`)
    }
  }
}
