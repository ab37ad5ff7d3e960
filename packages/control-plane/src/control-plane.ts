/**
 * The control plane as one thing with a lifetime: configuration flows from its sources through the mesh to the proxies; beside it
 * stand the CA, the webhooks and the pages for operators. Wiring only: each part's logic is in its own folder.
 */
import { ServerCredentials } from '@grpc/grpc-js'
import { logger } from '@lateen/base'
import { aggregate, type ConfigSource, fileSource, type KubeSource, kubeSource, memorySource } from '@lateen/config'
import { createKubeClient, type KubeClient, loadConnection } from '@lateen/kube'
import { createMesh, type MeshState } from '@lateen/translate'
import { CertificateStore, createXdsServer, grpcServerOptions, type XdsLimits, type XdsServer } from '@lateen/xds'
import { type CaSource, openCaSource } from './certificates/ca-source.ts'
import { registerCertificateService } from './certificates/certificate-service.ts'
import { podLabels } from './certificates/peer-labels.ts'
import { type ServerCertificates, serveCertificates } from './certificates/server-certificate.ts'
import { createDebugAccess, type DebugAccess } from './debug/debug-access.ts'
import { startGrpc } from './grpc/grpc-listener.ts'
import type { RunningHttpServer } from './http/http-server.ts'
import { startOperatorPorts } from './http/operator-ports.ts'
import { type Authenticator, createAuthenticator } from './identity/authenticator.ts'
import { authenticatePeer } from './identity/peer-authentication.ts'
import { createTokenReviewer } from './identity/token-reviewer.ts'
import { meshView } from './mesh-config/mesh-documents.ts'
import { type MeshWatcher, watchMesh } from './mesh-config/mesh-watcher.ts'
import { createMetrics, type Metrics } from './metrics/metrics.ts'
import type { DiscoveryOptions } from './options/discovery-options.ts'
import { type Pipeline, startPipeline } from './pipeline/config-pipeline.ts'
import { DEBOUNCE_DEFAULTS } from './pipeline/debouncer.ts'
import { type ClusterDuties, startClusterDuties } from './status/cluster-duties.ts'
import { VERSION } from './version.ts'
import { startWebhooks } from './webhooks/webhook-port.ts'
import { createMeshSource, type MeshSource } from './xds/mesh-source.ts'
import { createSecretAccess } from './xds/secret-access.ts'

/** The ports that are listened on, which differ from the options where those say 0. */
export interface Ports {
  grpc?: number
  secureGrpc?: number
  http?: number
  https?: number
  monitoring?: number
}

export interface ControlPlane {
  readonly ports: Readonly<Ports>
  readonly mesh: MeshState
  /** Ends it in order: no longer ready, proxies told to go elsewhere, leadership given up. */
  close(): Promise<void>
}

const log = logger('discovery')

/**
 * Starts everything and resolves when it is ready: all sources have synced and all ports are open.
 *
 * @throws KubeConfigError, MeshConfigError, CaError or ListenError when it cannot start as told
 */
export async function startControlPlane(options: DiscoveryOptions, abort?: AbortSignal): Promise<ControlPlane> {
  const plane = new RunningControlPlane(options)
  abort?.addEventListener('abort', () => void plane.close(), { once: true })
  try {
    await plane.start()
  } catch (error) {
    await plane.close()
    throw error
  }
  return plane
}

type Closer = () => Promise<void> | void

class RunningControlPlane implements ControlPlane {
  readonly ports: Ports = {}
  readonly #options: DiscoveryOptions
  readonly #closers: Closer[] = []
  #ready = false
  #closing: Promise<void> | undefined
  #mesh: MeshState | undefined

  constructor(options: DiscoveryOptions) {
    this.#options = options
  }

  get mesh(): MeshState {
    if (!this.#mesh) throw new Error('the mesh is there once the control plane has started')
    return this.#mesh
  }

  async start(): Promise<void> {
    const options = this.#options
    const client = this.#connect()
    const xds: { server?: XdsServer } = {}
    const metrics = createMetrics(() => xds.server?.connections().length ?? 0)
    const state: { watcher?: MeshWatcher; source?: ConfigSource; meshSource?: MeshSource } = {}
    const authenticator = createAuthenticator(
      () => meshView(state.watcher?.current ?? { mesh: {}, networks: {} }, options.namespace).trustDomain,
      client ? createTokenReviewer(client, options.ca.audiences) : undefined,
    )
    await this.#openOperatorPorts({
      metrics,
      authenticator,
      connections: () => xds.server?.connections() ?? [],
      source: () => state.source ?? memorySource(),
      documents: () => state.watcher?.current ?? { mesh: {}, networks: {} },
      find: (id) => state.meshSource?.find(id),
    })

    let kube: KubeSource | undefined
    const onMesh: { apply: (watcher: MeshWatcher['current']) => void } = { apply: () => undefined }
    const watcher = await watchMesh({
      meshFile: options.meshConfigFile,
      networksFile: options.networksFile,
      client,
      namespace: options.namespace,
      revision: options.revision,
      onChange: (documents) => onMesh.apply(documents),
    })
    state.watcher = watcher
    this.#closers.push(() => watcher.stop())
    const view = meshView(watcher.current, options.namespace)
    const mesh = createMesh({
      clusterId: options.clusterId,
      domain: options.domain,
      rootNamespace: view.rootNamespace,
      trustDomain: view.trustDomain,
      revision: options.revision,
      onFault: (where, error) =>
        log.error(`translation of ${where} failed; what it made before stays`, {
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        }),
    })
    this.#mesh = mesh
    mesh.setMeshConfig(watcher.current.mesh)
    mesh.setMeshNetworks(watcher.current.networks)

    const duties = client
      ? startClusterDuties({ client, options, metrics, isRefused: (object) => state.meshSource?.isRefused(object) ?? false })
      : undefined
    if (duties) this.#closers.push(() => duties.stop())
    if (client)
      kube = kubeSource({
        client,
        rootNamespace: view.rootNamespace,
        discoverySelectors: view.discoverySelectors,
        inspect: (object) => duties?.inspect(object),
      })
    const sources: ConfigSource[] = [...(options.configDir ? [fileSource({ directory: options.configDir })] : []), ...(kube ? [kube] : [])]
    const source = aggregate(sources.length > 0 ? sources : [memorySource()])
    state.source = source
    onMesh.apply = (documents) => {
      mesh.setMeshConfig(documents.mesh)
      mesh.setMeshNetworks(documents.networks)
      kube?.select(meshView(documents, options.namespace).discoverySelectors)
      duties?.refresh()
    }

    const pipeline = this.#startPipeline(source, mesh, metrics)
    const certificates = await this.#startCertificates(client, view.trustDomain, metrics, duties)
    duties?.begin({
      authority: () => certificates.ca.current,
      discoverySelectors: () => meshView(watcher.current, options.namespace).discoverySelectors,
    })
    await pipeline.synced
    if (this.#closing) return

    const meshSource = createMeshSource({
      mesh,
      checkIdentity: options.xds.checkIdentity,
      secretAccess: client ? createSecretAccess(client) : undefined,
      rejections: { rejected: (rejection) => duties?.rejected(rejection), cleared: (object) => duties?.cleared(object) },
    })
    state.meshSource = meshSource
    xds.server = await this.#openGrpc({ client, source: meshSource, authenticator, certificates, metrics })
    const webhooks = await startWebhooks({
      options,
      client,
      tls: certificates.server,
      mesh: () => watcher.current,
      metrics,
      namespaceAnnotations: (namespace) => duties?.namespaceAnnotations(namespace),
    })
    if (webhooks) {
      this.ports.https = webhooks.port
      certificates.onChange.push((material) => webhooks.replaceCertificate(material.certificateChain, material.privateKey))
      this.#closers.push(() => webhooks.close())
    }
    this.#ready = true
    metrics.ready()
    log.info(`control plane ${VERSION} is ready`, { ...this.ports })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#ready = false
    // In reverse: what was started last depends on what was started first.
    for (const closer of this.#closers.splice(0).reverse()) {
      try {
        await closer()
      } catch (error) {
        log.warn(`while shutting down: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }

  #connect(): KubeClient | undefined {
    const { useKubernetes, kubeconfig } = this.#options
    if (!useKubernetes) return undefined
    const client = createKubeClient(loadConnection(kubeconfig ? { path: kubeconfig } : {}), { userAgent: `pilot-discovery/${VERSION}` })
    this.#closers.push(() => client.close())
    return client
  }

  async #openOperatorPorts(
    context: Parameters<typeof startOperatorPorts>[0]['context'] & { readonly authenticator: Authenticator },
  ): Promise<void> {
    const options = this.#options
    let access: DebugAccess | undefined
    const servers: { http?: RunningHttpServer | undefined; monitoring?: RunningHttpServer | undefined } = await startOperatorPorts({
      options,
      context,
      isReady: () => this.#ready,
      access: () => access,
      diagnostics: () => this.#mesh?.diagnostics() ?? [],
    })
    const running = [servers.http, servers.monitoring].filter((server) => server !== undefined)
    this.#closers.push(...running.map((server) => () => server.close()))
    access = createDebugAccess({
      authenticate: options.debug.authenticate,
      authenticator: context.authenticator,
      namespaces: [options.namespace, ...options.debug.namespaces],
      ports: running.map((server) => server.port),
    })
    this.#closers.push(() => access?.stop())
    if (servers.http) this.ports.http = servers.http.port
    if (servers.monitoring) this.ports.monitoring = servers.monitoring.port
  }

  #startPipeline(source: ConfigSource, mesh: MeshState, metrics: Metrics): Pipeline {
    const { quietMs, maxMs } = this.#options.debounce
    const debounce = {
      ...DEBOUNCE_DEFAULTS,
      ...(quietMs === undefined ? {} : { quietMs, endpointQuietMs: quietMs }),
      ...(maxMs === undefined ? {} : { maxMs, endpointMaxMs: maxMs }),
    }
    const pipeline = startPipeline(source, debounce, ({ changes, waitedMs, events }) => {
      const start = performance.now()
      try {
        mesh.apply(changes)
      } catch (error) {
        // A change that breaks the translation must not end the process: proxies keep what they have.
        log.error(`a batch of ${changes.length} changes could not be applied`, {
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        })
      }
      const applyMs = performance.now() - start
      metrics.config.applied({ changes, events, waitedMs, applyMs })
      log.debug(`applied ${changes.length} changes in ${applyMs.toFixed(1)} ms`)
    })
    this.#closers.push(() => pipeline.stop())
    return pipeline
  }

  async #startCertificates(
    client: KubeClient | undefined,
    trustDomain: string,
    metrics: Metrics,
    duties: ClusterDuties | undefined,
  ): Promise<Certificates> {
    const { ca, tls, namespace, domain, revision } = this.#options
    const onChange: Certificates['onChange'] = []
    let server: ServerCertificates | undefined
    const source = await openCaSource({
      directory: ca.directory,
      client,
      namespace,
      trustDomain,
      rootTtlMs: ca.rootTtlMs,
      defaultTtlMs: ca.defaultTtlMs,
      maxTtlMs: ca.maxTtlMs,
      onChange: (authority) => {
        server?.renew(authority)
        metrics.certificates.authority(authority)
        duties?.refresh()
      },
    })
    metrics.certificates.authority(source.current)
    server = serveCertificates(
      source.current,
      {
        namespace,
        domain,
        revision,
        customHost: ca.customHost,
        certFile: tls.certFile,
        keyFile: tls.keyFile,
        clientCaFile: tls.caCertFile,
      },
      (material) => {
        for (const tell of onChange) tell(material)
      },
    )
    const certificates = server
    this.#closers.push(() => {
      source.stop()
      certificates.stop()
    })
    return { ca: source, server: certificates, onChange }
  }

  async #openGrpc({ client, source, authenticator, certificates, metrics }: GrpcParts): Promise<XdsServer> {
    const { listen, keepalive, xds, ca, shutdownMs } = this.#options
    const limits: Partial<XdsLimits> = {
      keepaliveMs: keepalive.intervalMs,
      keepaliveTimeoutMs: keepalive.timeoutMs,
      streamsPerSecond: xds.maxRequestsPerSecond,
    }
    const server = createXdsServer({
      source,
      authenticate: authenticatePeer(authenticator, xds),
      observer: metrics.xds,
      limits,
      identifier: JSON.stringify({ Component: 'istiod', ID: this.#options.podName ?? '', Info: { version: VERSION } }),
    })
    const serverOptions = {
      ...grpcServerOptions(limits),
      ...(keepalive.maxAgeMs < 2 ** 31 ? { 'grpc.max_connection_age_ms': keepalive.maxAgeMs } : {}),
    }
    const store = new CertificateStore(certificates.server.current)
    certificates.onChange.push((material) => store.replace(material))
    if (listen.secureGrpc) {
      const secure = await startGrpc({
        name: 'xDS and certificates over TLS',
        flag: 'secureGRPCAddr',
        address: listen.secureGrpc,
        credentials: store.credentials(),
        serverOptions,
        register: (grpc) => {
          server.register(grpc, { encrypted: true })
          if (ca.enabled) {
            const labelsOf = client ? podLabels(client, this.#options.clusterId) : () => Promise.resolve({})
            registerCertificateService(grpc, {
              authority: () => certificates.ca.current,
              authenticator,
              observer: metrics.certificates,
              labelsOf,
            })
          }
        },
      })
      this.ports.secureGrpc = secure.port
      this.#closers.push(() => secure.close(shutdownMs))
    }
    if (listen.grpc) {
      const plain = await startGrpc({
        name: 'xDS in plain text',
        flag: 'grpcAddr',
        address: listen.grpc,
        credentials: ServerCredentials.createInsecure(),
        serverOptions,
        register: (grpc) => server.register(grpc, { encrypted: false }),
      })
      this.ports.grpc = plain.port
      this.#closers.push(() => plain.close(shutdownMs))
    }
    this.#closers.push(() => server.close({ graceMs: shutdownMs }))
    return server
  }
}

interface GrpcParts {
  readonly client: KubeClient | undefined
  readonly source: MeshSource
  readonly authenticator: Authenticator
  readonly certificates: Certificates
  readonly metrics: Metrics
}

interface Certificates {
  readonly ca: CaSource
  readonly server: ServerCertificates
  readonly onChange: ((material: ServerCertificates['current']) => void)[]
}
