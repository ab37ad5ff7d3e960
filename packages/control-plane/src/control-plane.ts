/**
 * The control plane as one thing with a lifetime: configuration flows from its sources through the mesh to the proxies; beside it
 * stand the CA, the webhooks and the pages for operators. Wiring only: each part's logic is in its own folder.
 */
import { statSync } from 'node:fs'
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
import { startOperatorPorts } from './http/operator-ports.ts'
import { type Authenticator, createAuthenticator } from './identity/authenticator.ts'
import { authenticatePeer } from './identity/peer-authentication.ts'
import { createTokenReviewer } from './identity/token-reviewer.ts'
import { type KeyService, startKeyService } from './keys/key-service.ts'
import { MeshConfigError, type MeshDocuments, type MeshView, meshView } from './mesh-config/mesh-documents.ts'
import { type MeshWatcher, watchMesh } from './mesh-config/mesh-watcher.ts'
import { createMetrics, type Metrics } from './metrics/metrics.ts'
import type { DiscoveryOptions } from './options/discovery-options.ts'
import { type Pipeline, startPipeline } from './pipeline/config-pipeline.ts'
import { type Batch, DEBOUNCE_DEFAULTS } from './pipeline/debouncer.ts'
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
  // What it waits for, such as an API server that is not there, may never come.
  const aborted = new Promise<void>((resolve) => abort?.addEventListener('abort', () => resolve(), { once: true }))
  try {
    await Promise.race([plane.start(), aborted])
  } catch (error) {
    await plane.close()
    throw error
  }
  return plane
}

type Closer = () => Promise<void> | void

const NO_DOCUMENTS: MeshDocuments = { mesh: {}, networks: {} }

class RunningControlPlane implements ControlPlane {
  readonly ports: Ports = {}
  readonly #options: DiscoveryOptions
  readonly #client: KubeClient | undefined
  readonly #metrics: Metrics
  readonly #authenticator: Authenticator
  readonly #closers: Closer[] = []
  #ready = false
  #closing: Promise<void> | undefined
  #access: DebugAccess | undefined
  #watcher: MeshWatcher | undefined
  #mesh: MeshState | undefined
  #keys: KeyService | undefined
  #kube: KubeSource | undefined
  #source: ConfigSource = memorySource()
  #duties: ClusterDuties | undefined
  #meshSource: MeshSource | undefined
  #xds: XdsServer | undefined

  constructor(options: DiscoveryOptions) {
    this.#options = options
    this.#client = this.#connect()
    this.#metrics = createMetrics(() => this.#xds?.connections().length ?? 0)
    this.#authenticator = createAuthenticator(
      () => this.#view().trustDomain,
      this.#client ? createTokenReviewer(this.#client, options.ca.audiences) : undefined,
    )
  }

  get mesh(): MeshState {
    if (!this.#mesh) throw new Error('the mesh is there once the control plane has started')
    return this.#mesh
  }

  /** In the order of dependence; what can wait for the API server does so while the rest goes on. */
  async start(): Promise<void> {
    await this.#openOperatorPorts()
    await this.#readMesh()
    const pipeline = this.#startPipeline()
    const certificates = await this.#startCertificates()
    this.#beginDuties(certificates.ca)
    await pipeline.synced
    // Proxies that connect find the keys of their issuers, as far as those can be had.
    await this.#keys?.settled()
    if (this.#closing) return
    await this.#openXds(certificates)
    await this.#openWebhooks(certificates)
    this.#ready = true
    this.#metrics.ready()
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
        log.warn(`while shutting down: ${textOf(error)}`)
      }
    }
  }

  #documents(): MeshDocuments {
    return this.#watcher?.current ?? NO_DOCUMENTS
  }

  #view(): MeshView {
    return meshView(this.#documents(), this.#options.namespace)
  }

  #connect(): KubeClient | undefined {
    const { useKubernetes, kubeconfig } = this.#options
    if (!useKubernetes) return undefined
    const client = createKubeClient(loadConnection(kubeconfig ? { path: kubeconfig } : {}), { userAgent: `pilot-discovery/${VERSION}` })
    this.#closers.push(() => client.close())
    return client
  }

  async #openOperatorPorts(): Promise<void> {
    const options = this.#options
    const { http, monitoring } = await startOperatorPorts({
      options,
      metrics: this.#metrics,
      isReady: () => this.#ready,
      access: () => this.#access,
      debug: {
        clusterId: options.clusterId,
        connections: () => this.#xds?.connections() ?? [],
        source: () => this.#source,
        mesh: () => this.#documents(),
        diagnostics: () => this.#mesh?.diagnostics() ?? [],
        find: (proxyId) => this.#meshSource?.find(proxyId),
      },
    })
    const running = [http, monitoring].filter((server) => server !== undefined)
    this.#closers.push(...running.map((server) => () => server.close()))
    const access = createDebugAccess({
      authenticate: options.debug.authenticate,
      authenticator: this.#authenticator,
      namespaces: [options.namespace, ...options.debug.namespaces],
      ports: running.map((server) => server.port),
    })
    this.#access = access
    this.#closers.push(() => access.stop())
    if (http) this.ports.http = http.port
    if (monitoring) this.ports.monitoring = monitoring.port
  }

  async #readMesh(): Promise<void> {
    const { meshConfigFile, networksFile, namespace, revision, clusterId, domain } = this.#options
    const watcher = await watchMesh({
      meshFile: meshConfigFile,
      networksFile,
      client: this.#client,
      namespace,
      revision,
      onChange: (documents) => {
        this.#mesh?.setMeshConfig(documents.mesh)
        this.#mesh?.setMeshNetworks(documents.networks)
        this.#kube?.select(this.#view().discoverySelectors)
        this.#duties?.refresh()
      },
    })
    this.#watcher = watcher
    this.#closers.push(() => watcher.stop())
    const { rootNamespace, trustDomain } = this.#view()
    const onFault = (where: string, error: unknown) =>
      log.error(`translation of ${where} failed; what it made before stays`, {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    const { keysFetchedBy, severalAuthorizers, keys } = this.#options.policies
    const { ofOwnNamespace: gatewaysOfOwnNamespace, http3 } = this.#options.gateways
    const switches = { keysFetchedBy, severalAuthorizers, gatewaysOfOwnNamespace, http3 }
    const mesh = createMesh({ clusterId, domain, rootNamespace, trustDomain, revision, switches, onFault })
    mesh.setMeshConfig(watcher.current.mesh)
    mesh.setMeshNetworks(watcher.current.networks)
    this.#mesh = mesh
    const service = startKeyService(mesh, keys, this.#metrics.keys)
    this.#keys = service
    this.#closers.push(() => service.stop())
  }

  #startPipeline(): Pipeline {
    const { configDir, debounce } = this.#options
    const client = this.#client
    if (client) this.#kube = this.#openKube(client)
    if (configDir && !statSync(configDir, { throwIfNoEntry: false })?.isDirectory()) {
      throw new MeshConfigError(`--configDir: ${configDir} is no folder; name the folder of the YAML files`)
    }
    const sources: ConfigSource[] = configDir ? [fileSource({ directory: configDir })] : []
    if (this.#kube) sources.push(this.#kube)
    this.#source = aggregate(sources.length > 0 ? sources : [memorySource()])
    const { quietMs, maxMs } = debounce
    const timing = {
      ...DEBOUNCE_DEFAULTS,
      ...(quietMs === undefined ? {} : { quietMs, endpointQuietMs: quietMs }),
      ...(maxMs === undefined ? {} : { maxMs, endpointMaxMs: maxMs }),
    }
    const pipeline = startPipeline(this.#source, timing, (batch) => this.#apply(batch))
    this.#closers.push(() => pipeline.stop())
    return pipeline
  }

  #openKube(client: KubeClient): KubeSource {
    const duties = startClusterDuties({
      client,
      options: this.#options,
      metrics: this.#metrics,
      isRefused: (object) => this.#meshSource?.isRefused(object) ?? false,
    })
    this.#duties = duties
    this.#closers.push(() => duties.stop())
    const { rootNamespace, discoverySelectors } = this.#view()
    return kubeSource({ client, rootNamespace, discoverySelectors, inspect: (object) => duties.inspect(object) })
  }

  #apply({ changes, events, waitedMs }: Batch): void {
    const start = performance.now()
    try {
      this.mesh.apply(changes)
    } catch (error) {
      // A change that breaks the translation must not end the process: proxies keep what they have.
      log.error(`a batch of ${changes.length} changes could not be applied`, {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    }
    this.#keys?.follow()
    const applyMs = performance.now() - start
    this.#metrics.config.applied({ changes, events, waitedMs, applyMs })
    log.debug(`applied ${changes.length} changes in ${applyMs.toFixed(1)} ms`)
  }

  async #startCertificates(): Promise<Certificates> {
    const { ca, tls, namespace, domain, revision } = this.#options
    const onChange: Certificates['onChange'] = []
    const opened: { server?: ServerCertificates } = {}
    const source = await openCaSource({
      directory: ca.directory,
      client: this.#client,
      namespace,
      trustDomain: this.#view().trustDomain,
      rootTtlMs: ca.rootTtlMs,
      defaultTtlMs: ca.defaultTtlMs,
      maxTtlMs: ca.maxTtlMs,
      onChange: (authority) => {
        opened.server?.renew(authority)
        this.#metrics.certificates.authority(authority)
        this.#duties?.refresh()
      },
    })
    this.#closers.push(() => source.stop())
    this.#metrics.certificates.authority(source.current)
    const names = { namespace, domain, revision, customHost: ca.customHost }
    const files = { certFile: tls.certFile, keyFile: tls.keyFile, clientCaFile: tls.caCertFile }
    const server = serveCertificates(source.current, { ...names, ...files }, (material) => {
      for (const tell of onChange) tell(material)
    })
    opened.server = server
    this.#closers.push(() => server.stop())
    return { ca: source, server, onChange }
  }

  #beginDuties(ca: CaSource): void {
    this.#duties?.begin({ authority: () => ca.current, discoverySelectors: () => this.#view().discoverySelectors })
  }

  async #openXds(certificates: Certificates): Promise<void> {
    const { keepalive, xds, podName } = this.#options
    const source = createMeshSource({
      mesh: this.mesh,
      checkIdentity: xds.checkIdentity,
      secretAccess: this.#client ? createSecretAccess(this.#client) : undefined,
      rejections: { rejected: (rejection) => this.#duties?.rejected(rejection), cleared: (object) => this.#duties?.cleared(object) },
    })
    this.#meshSource = source
    const limits: Partial<XdsLimits> = {
      keepaliveMs: keepalive.intervalMs,
      keepaliveTimeoutMs: keepalive.timeoutMs,
      streamsPerSecond: xds.maxRequestsPerSecond,
    }
    const server = createXdsServer({
      source,
      authenticate: authenticatePeer(this.#authenticator, xds),
      observer: this.#metrics.xds,
      limits,
      identifier: JSON.stringify({ Component: 'istiod', ID: podName ?? '', Info: { version: VERSION } }),
    })
    this.#xds = server
    const maxAge = keepalive.maxAgeMs < 2 ** 31 ? { 'grpc.max_connection_age_ms': keepalive.maxAgeMs } : {}
    await this.#openGrpcPorts(server, certificates, { ...grpcServerOptions(limits), ...maxAge })
    this.#closers.push(() => server.close({ graceMs: this.#options.shutdownMs }))
  }

  async #openGrpcPorts(server: XdsServer, certificates: Certificates, serverOptions: Readonly<Record<string, number>>): Promise<void> {
    const { listen, ca, shutdownMs, clusterId } = this.#options
    const store = new CertificateStore(certificates.server.current)
    certificates.onChange.push((material) => store.replace(material))
    const labelsOf = this.#client ? podLabels(this.#client, clusterId) : () => Promise.resolve({})
    const signing = {
      authority: () => certificates.ca.current,
      authenticator: this.#authenticator,
      observer: this.#metrics.certificates,
      labelsOf,
    }
    if (listen.secureGrpc) {
      const secure = await startGrpc({
        name: 'xDS and certificates over TLS',
        flag: 'secureGRPCAddr',
        address: listen.secureGrpc,
        credentials: store.credentials(),
        serverOptions,
        register: (grpc) => {
          server.register(grpc, { encrypted: true })
          if (ca.enabled) registerCertificateService(grpc, signing)
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
  }

  async #openWebhooks({ server, onChange }: Certificates): Promise<void> {
    const webhooks = await startWebhooks({
      options: this.#options,
      client: this.#client,
      tls: server,
      mesh: () => this.#documents(),
      metrics: this.#metrics,
      namespaceAnnotations: (namespace) => this.#duties?.namespaceAnnotations(namespace),
      proxyConfig: (namespace, labels) => this.#mesh?.proxyConfig(namespace, labels) ?? {},
    })
    if (!webhooks) return
    this.ports.https = webhooks.port
    onChange.push((material) => webhooks.replaceCertificate(material.certificateChain, material.privateKey))
    this.#closers.push(() => webhooks.close())
  }
}

interface Certificates {
  readonly ca: CaSource
  readonly server: ServerCertificates
  readonly onChange: ((material: ServerCertificates['current']) => void)[]
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
