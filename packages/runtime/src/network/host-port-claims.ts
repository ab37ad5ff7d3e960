/** Which ports of the host the cluster's Services want: LoadBalancer ports and NodePorts. */
import { objectKey } from '@lateen/api'
import type { Service } from '../kube/service.ts'
import type { Store } from '../kube/store.ts'
import type { HostPortClaim, HostPortHolder, HostPortState } from './host-ports.ts'

export class HostPortClaims {
  readonly #services: Store<Service>
  readonly #gateway: string
  readonly #holder: HostPortHolder | undefined
  readonly #map: Readonly<Record<number, number>>
  #states = new Map<string, HostPortState>()
  readonly #listeners: (() => void)[] = []
  #scheduled = false

  constructor(services: Store<Service>, gateway: string, holder: HostPortHolder | undefined, map: Readonly<Record<number, number>>) {
    this.#services = services
    this.#gateway = gateway
    this.#holder = holder
    this.#map = map
  }

  start(): void {
    this.#holder?.onState((states) => {
      this.#states = new Map(states.map((state) => [state.key, state]))
      for (const listener of this.#listeners) listener()
    })
    this.#services.listen(() => {
      if (this.#scheduled) return
      this.#scheduled = true
      setImmediate(() => {
        this.#scheduled = false
        this.#holder?.claim(this.#claims())
      })
    })
  }

  stop(): void {
    this.#holder?.close()
  }

  /** Calls back whenever a port was opened or refused. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  states(): HostPortState[] {
    return [...this.#states.values()]
  }

  /** What became of one port of a LoadBalancer; `undefined` while it is not known. */
  loadBalancerPort(service: Service, port: number): HostPortState | undefined {
    return this.#states.get(balancerKey(service, port))
  }

  /** The port on the host that stands for a LoadBalancer's port. */
  hostPort(port: number): number {
    return this.#map[port] ?? port
  }

  #claims(): HostPortClaim[] {
    const claims: HostPortClaim[] = []
    const oldestFirst = [...this.#services.all()].toSorted((a, b) =>
      (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1,
    )
    for (const service of oldestFirst) {
      const { type, ports = [], clusterIP } = service.spec ?? {}
      const owner = `Service ${objectKey(service)}`
      for (const { port, nodePort, protocol = 'TCP' } of ports) {
        if (protocol !== 'TCP') continue
        if (type === 'LoadBalancer' && clusterIP && clusterIP !== 'None') {
          const wanted = this.hostPort(port)
          claims.push({ key: balancerKey(service, port), port: wanted, owner, target: { host: clusterIP, port } })
        }
        if (nodePort && (type === 'LoadBalancer' || type === 'NodePort')) {
          claims.push({
            key: `node-port/${objectKey(service)}/${nodePort}`,
            port: nodePort,
            owner,
            target: { host: this.#gateway, port: nodePort },
          })
        }
      }
    }
    return claims
  }
}

function balancerKey(service: Service, port: number): string {
  return `load-balancer/${objectKey(service)}/${port}`
}
