/**
 * The cluster process, inside the node's namespaces: API server, controllers, node agent, and the mesh's own workloads.
 *
 * Enters: options of the supervisor. Leaves: a running cluster, the kubeconfig, and messages about how far it is.
 */
import { crds, gatewayApiCrds, type KubeObject } from '@lateen/api'
import { type ApiServer, startApiServer } from '@lateen/apiserver'
import { logger } from '@lateen/base'
import { localMesh } from '@lateen/install'
import { type Cluster, HostPortClient, OUTSIDE_DNS, startCluster, type UidMapping } from '@lateen/runtime'
import { installation } from '../installation.ts'
import { applyAll } from './apply-all.ts'
import { type Home, writeText } from './home.ts'
import { withApiPort } from './host-ports-with-api.ts'
import type { IpFamilies } from './ip-family.ts'
import { renderKubeconfig } from './kubeconfig.ts'
import type { Ports } from './state.ts'
import { type ClusterMessage, STOP_MESSAGE } from './supervisor.ts'

const log = logger('cluster')

/** Inside the node, the API server is at this port of every address; pods reach it by the Service `kubernetes`. */
const INNER_API_PORT = 6443
const NODE = {
  name: 'lateen-node',
  podCidr: '10.244.0.0/16',
  serviceCidr: '10.96.0.0/12',
  dnsAddress: '10.96.0.10',
  bridge: 'lateen0',
} as const
const IPV6 = { podPrefix: 'fd00:10:244::', servicePrefix: 'fd00:10:96::' } as const
const NODE_PORTS = '30000-32767'
/** Longer than the samples need; a pod that ignores SIGTERM must not keep its user waiting. */
const END_PODS_MS = 3_000
const SERVICES = { group: '', version: 'v1', kind: 'Service', plural: 'services', namespaced: true } as const

export interface ClusterProcessOptions {
  readonly home: Home
  readonly envoy: string
  readonly ports: Ports
  readonly ipFamily: IpFamilies
  /** There is a way to networks outside the node, and a resolver on it. */
  readonly internet: boolean
  readonly uidMapping: UidMapping
  /** File for a record of the API server's requests. */
  readonly auditLog?: string | undefined
}

/** Runs until the supervisor says stop; without a supervisor, ends and leaves the pods to the next one. */
export async function runClusterProcess(options: ClusterProcessOptions): Promise<void> {
  const stopped = stopRequest()
  try {
    const { api, cluster } = await start(options)
    tell({ lateen: 'cluster', phase: 'ready' })
    const reason = await stopped
    log.info(`ending: ${reason === 'stop' ? 'the mesh goes down' : 'the supervisor has gone'}`)
    await cluster.stop(reason === 'stop' ? { endPods: END_PODS_MS } : {})
    await api.close()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    log.error(error instanceof Error ? (error.stack ?? message) : message)
    tell({ lateen: 'cluster', phase: 'failed', message })
    throw error
  }
}

async function start({
  home,
  envoy,
  ports,
  internet,
  ipFamily,
  uidMapping,
  auditLog,
}: ClusterProcessOptions): Promise<{ api: ApiServer; cluster: Cluster }> {
  const dualStack = ipFamily === 'dual'
  const step = (message: string) => tell({ lateen: 'cluster', phase: 'starting', message })
  step('starting the API server')
  const apiFailed = (error: string) => tell({ lateen: 'cluster', phase: 'failed', message: error })
  const hostPorts = withApiPort(new HostPortClient(), {
    port: ports.api,
    target: { host: '127.0.0.1', port: INNER_API_PORT },
    failed: apiFailed,
  })
  const api = await startApiServer({
    dataDir: home.data,
    listen: [{ host: '0.0.0.0', port: INNER_API_PORT }],
    serviceCidr: NODE.serviceCidr,
    ...(dualStack && { serviceIpv6Prefix: IPV6.servicePrefix }),
    nodePortRange: NODE_PORTS,
    extraSans: ['127.0.0.1', '10.244.0.1'],
    crds: [...crds(), ...gatewayApiCrds()],
    ...(auditLog && { audit: { path: auditLog } }),
    resolveService: (namespace, name, port) => serviceAddress(api, namespace, name, port),
  })
  const server = `https://127.0.0.1:${ports.api}`
  writeText(home.kubeconfig, renderKubeconfig({ server, caPem: api.caPem, token: api.adminToken }))
  step('starting the node')
  const program = installation()
  const client = api.localClient('system:lateen')
  const cluster = await startCluster({
    client,
    listWatch: (type, options, handler) => client.watch(type, options, handler),
    stateDir: home.node,
    node: dualStack ? { ...NODE, ipv6: IPV6 } : NODE,
    images: home.images,
    lateenDir: program.root,
    nodeBinary: process.execPath,
    envoyPath: envoy,
    samplesDir: program.samples,
    uidMapping,
    apiPort: INNER_API_PORT,
    apiCa: api.caPem,
    hostPorts,
    ...(internet && { resolvers: [OUTSIDE_DNS] }),
    hostPortMap: { 80: ports.http, 443: ports.https },
  })
  api.setPods(podBackend(cluster.pods))
  step('installing the control plane')
  await applyAll(client, localMesh({ dualStack }))
  return { api, cluster }
}

function podBackend(pods: Cluster['pods']): Parameters<ApiServer['setPods']>[0] {
  return {
    logs: (...args) => pods.logs(...args),
    exec: (...args) => pods.exec(...args),
    // What is attached to ends with the container and has no exit code of its own.
    attach: (...args) => pods.attach(...args).then(() => ({ exitCode: 0 })),
    portForward: (...args) => pods.portForward(...args),
  }
}

async function serviceAddress(api: ApiServer, namespace: string, name: string, port: number): Promise<{ host: string; port: number }> {
  const service = await api.localClient().get<KubeObject<{ readonly clusterIP?: string }>>(SERVICES, namespace, name)
  const host = service.spec?.clusterIP
  if (!host || host === 'None') throw new Error(`Service ${namespace}/${name} has no cluster address`)
  return { host, port }
}

function tell(message: ClusterMessage): void {
  if (process.connected) process.send?.(message)
}

function stopRequest(): Promise<'stop' | 'orphaned'> {
  return new Promise((resolve) => {
    process.on('message', (message: unknown) => {
      if (typeof message === 'object' && message !== null && 'lateen' in message && message.lateen === STOP_MESSAGE.lateen) resolve('stop')
    })
    process.on('disconnect', () => resolve('orphaned'))
  })
}
