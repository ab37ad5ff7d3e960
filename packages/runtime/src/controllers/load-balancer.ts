/** Services of type LoadBalancer get this machine's loopback address, and say which of their ports could not be opened there. */
import { objectKey } from '@lateen/api'
import { SERVICE } from '../kube/kinds.ts'
import type { IngressPort, Service } from '../kube/service.ts'
import { EventRecorder } from '../node/event-recorder.ts'
import { WorkQueue } from '../work-queue.ts'
import { type Controller, type ControllerContext, canonical } from './context.ts'

const ADDRESS = '127.0.0.1'

export function loadBalancerController(context: ControllerContext): Controller {
  const { services } = context.stores
  const { hostPorts } = context
  const events = new EventRecorder(context.client, 'service-controller', context.node.name)
  const announced = new Map<string, string>()
  const queue = new WorkQueue({ name: 'LoadBalancer', reconcile })
  services.listen((key, now, before) => {
    queue.add(key)
    if (!now && before) for (const said of announced.keys()) if (said.startsWith(`${before.metadata.uid}/`)) announced.delete(said)
  })
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
    if (canonical(ingress) !== canonical(known)) await write(service, ingress)
    announce(service)
    return undefined
  }

  async function write(service: Service, ingress: readonly object[]): Promise<void> {
    await context.client.patch(
      SERVICE,
      service.metadata.namespace,
      service.metadata.name,
      { status: { loadBalancer: { ingress } } },
      { type: 'application/merge-patch+json', subresource: 'status' },
    )
  }

  /** Says once for each port what became of it. */
  function announce(service: Service): void {
    for (const { port, nodePort } of service.spec?.ports ?? []) {
      const state = hostPorts.loadBalancerPort(service, port)
      if (!state) continue
      const said = `${service.metadata.uid}/${port}`
      const words = state.error
        ? `port ${port}: ${state.error}${nodePort ? `. It can be reached on ${ADDRESS}:${nodePort}` : ''}`
        : `port ${port} is on ${ADDRESS}:${state.port}`
      if (announced.get(said) === words) continue
      announced.set(said, words)
      events.record({ object: service }, state.error ? 'Warning' : 'Normal', state.error ? 'PortNotOpened' : 'EnsuredLoadBalancer', words)
    }
  }
}
