/** Puts the local cluster together: node agent, controllers, Service addresses, DNS, host ports. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { KubeObject } from '@lateen/api'
import { logger } from '@lateen/base'
import type { KubeClient } from '@lateen/kube'
import type { ControllerContext } from './controllers/context.ts'
import { type Controllers, startControllers } from './controllers/controllers.ts'
import { DnsServer } from './dns/dns-server.ts'
import type { UidMapping } from './enter-node.ts'
import { ImageCatalogue } from './images/catalogue.ts'
import { CONFIG_MAP, ENDPOINT_SLICE, NAMESPACE, POD, SECRET, SERVICE } from './kube/kinds.ts'
import type { Pod } from './kube/pod.ts'
import type { EndpointSlice, Service } from './kube/service.ts'
import { type ListWatchFunction, Store } from './kube/store.ts'
import { AddressPool } from './network/address-pool.ts'
import { HostPortClaims } from './network/host-port-claims.ts'
import type { HostPortHolder, HostPortState } from './network/host-ports.ts'
import { addressesOf, gatewayOf, type NodeNetwork, prepareNetwork } from './network/node-network.ts'
import { ServiceProxy, type ServiceProxyState } from './network/service-proxy.ts'
import { EventRecorder } from './node/event-recorder.ts'
import { planHostRoot } from './node/host-root.ts'
import { NodeAgent } from './node/node-agent.ts'
import type { NodeContext } from './node/node-context.ts'
import { prepareScratch } from './node/node-devices.ts'
import { NodePodBackend, type PodBackend } from './node/pod-backend.ts'
import { programMounts } from './node/pod-files.ts'
import { makeStateDirectories, stateLayout } from './node/state-layout.ts'
import { TokenSource } from './volumes/volume-files.ts'

export interface NodeSettings {
  /** Name of the Node object. */
  readonly name: string
  /** `10.244.0.0/16`; the node has the first address. */
  readonly podCidr: string
  /** `10.96.0.0/12`. */
  readonly serviceCidr: string
  /** `10.96.0.10`. */
  readonly dnsAddress: string
  /** Given: the cluster is dual-stack. */
  readonly ipv6?: NodeNetwork['ipv6']
  /** Name of the bridge, at most 15 characters. */
  readonly bridge: string
  /** `cluster.local` unless given. */
  readonly clusterDomain?: string
}

export interface ClusterOptions {
  readonly client: KubeClient
  readonly listWatch: ListWatchFunction
  /** Kept between starts: addresses, logs, records of running pods. */
  readonly stateDir: string
  readonly node: NodeSettings
  /** The user's own image catalogue (`images.yaml`); need not exist. */
  readonly images?: string
  /** Installation with `dist/`, bound into pods at /usr/local/lib/lateen. */
  readonly lateenDir: string
  readonly nodeBinary: string
  /** Bound into pods at /usr/local/bin/envoy. */
  readonly envoyPath?: string
  /** The sample programs; beside this package unless given. */
  readonly samplesDir?: string
  readonly uidMapping: UidMapping
  /** Where the API server listens inside the node, for the Service `default/kubernetes`. */
  readonly apiPort?: number
  /** CA certificate (PEM) of the API server, for the ConfigMap `kube-root-ca.crt` of each namespace. */
  readonly apiCa?: string
  readonly hostPorts?: HostPortHolder
  /** Resolvers for names that are not the cluster's, instead of those of /etc/resolv.conf that are not on the host's loopback. */
  readonly resolvers?: readonly string[]
  /** Service port of a LoadBalancer → port on the host (`{80: 8080, 443: 8443}`); others keep their number. */
  readonly hostPortMap?: Readonly<Record<number, number>>
}

export interface ClusterStatus {
  readonly node: string
  readonly address: string
  readonly services: ServiceProxyState
  readonly hostPorts: readonly HostPortState[]
  readonly pods: readonly { readonly namespace: string; readonly name: string; readonly address: string; readonly phase: string }[]
}

export interface Cluster {
  readonly pods: PodBackend
  status(): ClusterStatus
  /**
   * Stops this program's part. Pods go on running and are found again by the next start, unless `endPods` is given: then each is ended
   * as on deletion, within at most `endPods` milliseconds.
   */
  stop(options?: { readonly endPods?: number }): Promise<void>
}

const log = logger('cluster')

/** Starts the cluster inside the node's namespaces (see `enterNode`); resolves when the node can run pods. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: the list of parts and what each gets.
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { client, listWatch, node } = options
  const network: NodeNetwork = {
    bridge: node.bridge,
    podCidr: node.podCidr,
    serviceCidr: node.serviceCidr,
    dnsAddress: node.dnsAddress,
    ...(node.ipv6 && { ipv6: node.ipv6 }),
  }
  const domain = node.clusterDomain ?? 'cluster.local'
  const layout = stateLayout(options.stateDir)
  makeStateDirectories(layout)
  const hostResolvConf = readResolvConf()
  await prepareNetwork(network)
  const dev = await prepareScratch(layout.scratch)

  const stores = {
    pods: new Store<Pod>(POD, listWatch),
    services: new Store<Service>(SERVICE, listWatch),
    slices: new Store<EndpointSlice>(ENDPOINT_SLICE, listWatch),
    namespaces: new Store<KubeObject>(NAMESPACE, listWatch),
    configMaps: new Store<KubeObject>(CONFIG_MAP, listWatch),
    secrets: new Store<KubeObject>(SECRET, listWatch),
  }
  const gateway = gatewayOf(network)
  const events = new EventRecorder(client, 'kubelet', node.name)
  const addresses = new AddressPool(node.podCidr, layout.addresses)
  const proxy = new ServiceProxy(network, stores.services, stores.slices)
  const context: NodeContext = {
    client,
    layout,
    catalogue: new ImageCatalogue(options.images),
    source: {
      configMap: (namespace, name) => stores.configMaps.get(namespace, name),
      secret: (namespace, name) => stores.secrets.get(namespace, name),
      services: (namespace) => stores.services.inNamespace(namespace),
    },
    tokens: new TokenSource(client),
    events,
    facts: { nodeName: node.name, hostAddress: gateway, addressesOf: (address) => addressesOf(network, address) },
    names: { domain, dnsAddress: node.dnsAddress, hostResolvConf },
    bridge: node.bridge,
    gateway,
    rootPlan: planHostRoot(options.stateDir),
    programMounts: programMounts(layout.programs, {
      lateenDir: options.lateenDir,
      nodeBinary: options.nodeBinary,
      envoyPath: options.envoyPath,
      samplesDir: options.samplesDir ?? samplesBeside(),
    }),
    dev,
    avoided: (address, longest) => proxy.avoided(address, longest),
    rootless: options.uidMapping !== 'root',
    manyIds: options.uidMapping !== 'single',
  }
  const agent = new NodeAgent(context, stores, addresses)
  const dns = new DnsServer({
    addresses: [node.dnsAddress, gateway],
    port: 53,
    upstreams: options.resolvers ?? upstreamsOf(hostResolvConf),
    source: {
      services: stores.services,
      slices: stores.slices,
      namespaceExists: (name) => stores.namespaces.byKey(name) !== undefined,
      domain,
    },
  })
  const claims = new HostPortClaims(stores.services, gateway, options.hostPorts, options.hostPortMap ?? {})
  const controllerContext: ControllerContext = {
    client,
    listWatch,
    stores,
    node: { name: node.name, address: gateway, podCidr: node.podCidr, dnsAddress: node.dnsAddress },
    hostPorts: claims,
    ...(options.apiPort === undefined ? {} : { apiPort: options.apiPort }),
    ...(options.apiCa === undefined ? {} : { apiCa: options.apiCa }),
  }
  const controllers: Controllers = await startControllers(controllerContext, node.serviceCidr)
  await dns.start()
  await proxy.start()
  await agent.start()
  claims.start()
  const pods = new NodePodBackend(agent, options.nodeBinary)
  log.info(`node ${node.name} is ready`, { address: gateway, pods: node.podCidr, services: node.serviceCidr, user_ids: options.uidMapping })

  return {
    pods,
    status: () => ({
      node: node.name,
      address: gateway,
      services: proxy.state(),
      hostPorts: claims.states(),
      pods: [...agent.workers()].map((worker) => ({
        namespace: worker.pod.metadata.namespace ?? '',
        name: worker.pod.metadata.name,
        address: worker.address,
        phase: worker.pod.status?.phase ?? 'Pending',
      })),
    }),
    stop: async ({ endPods } = {}) => {
      await controllers.stop()
      await agent.stop(endPods === undefined ? { keep: true } : { grace: endPods })
      claims.stop()
      proxy.stop()
      dns.stop()
      pods.close()
      for (const store of Object.values(stores)) store.stop()
    },
  }
}

function samplesBeside(): string {
  return fileURLToPath(new URL('../samples', import.meta.url))
}

function readResolvConf(): string {
  for (const path of ['/run/systemd/resolve/resolv.conf', '/etc/resolv.conf']) {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      // The first exists only where systemd's stub resolver hides the real ones.
    }
  }
  return ''
}

/** Resolvers on the host's loopback are not reachable from the node. */
function upstreamsOf(resolvConf: string): string[] {
  return [...resolvConf.matchAll(/^nameserver\s+(\d+\.\d+\.\d+\.\d+)\s*$/gm)]
    .map((match) => match[1] ?? '')
    .filter((address) => !address.startsWith('127.'))
}
