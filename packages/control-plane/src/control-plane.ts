/**
 * The control plane as one thing with a lifetime: configuration flows from its sources through the mesh to the proxies; beside it
 * stand the CA, the webhooks and the pages for operators. Wiring only: each part's logic is in its own folder.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { logger } from '@lateen/base'
import { aggregate, type ConfigSource, fileSource, type KubeSource, kubeSource, memorySource } from '@lateen/config'
import { createKubeClient, electLeader, type KubeClient, loadConnection } from '@lateen/kube'
import { createMesh, type MeshState } from '@lateen/translate'
import { CertificateStore, createXdsServer, grpcServerOptions, type XdsLimits, type XdsServer } from '@lateen/xds'
import { createLiveWorld, type LiveWorld } from './analysis/live-world.ts'
import { registerCertificateService } from './certificates/certificate-service.ts'
import { type FurtherRootsWatch, followFurtherRoots } from './certificates/further-roots-watch.ts'
import { type MeshTrust, openMeshTrust } from './certificates/mesh-trust.ts'
import { noteOutsideCa } from './certificates/outside-ca.ts'
import { podLabels } from './certificates/peer-labels.ts'
import { type ServerCertificates, serveCertificates } from './certificates/server-certificate.ts'
import { findServingFiles } from './certificates/serving-files.ts'
import { followUnserved } from './certificates/unserved-callers.ts'
import { createDebugAccess, type DebugAccess } from './debug/debug-access.ts'
import type { DebugContext } from './debug/debug-context.ts'
import { debugInquiries } from './debug/debug-over-xds.ts'
import { startGrpc } from './grpc/grpc-listener.ts'
import { startControlZ } from './http/control-z.ts'
import { startOperatorPorts } from './http/operator-ports.ts'
import { type Authenticator, createAuthenticator } from './identity/authenticator.ts'
import { withJoinTokens } from './identity/join-tokens.ts'
import { authenticatePeer } from './identity/peer-authentication.ts'
import { createTokenReviewer } from './identity/token-reviewer.ts'
import { type KeyService, startKeyService } from './keys/key-service.ts'
import { createKeyStore } from './keys/key-store.ts'
import { MeshConfigError, type MeshDocuments, type MeshView, meshView } from './mesh-config/mesh-documents.ts'
import { type MeshWatcher, watchMesh } from './mesh-config/mesh-watcher.ts'
import { createMetrics, type Metrics } from './metrics/metrics.ts'
import type { DiscoveryOptions } from './options/discovery-options.ts'
import { type Pipeline, startPipeline } from './pipeline/config-pipeline.ts'
import { type Batch, DEBOUNCE_DEFAULTS } from './pipeline/debouncer.ts'
import { type ClusterDuties, LEASE, startClusterDuties } from './status/cluster-duties.ts'
import { VERSION } from './version.ts'
import { createObjectWarnings } from './webhooks/object-warnings.ts'
import { type RunningWebhooks, startWebhooks } from './webhooks/webhook-port.ts'
import { createWorkloadRegistry, type WorkloadRegistry } from './workload-entries/registry.ts'
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
  readonly #debugContext: DebugContext
  readonly #client: KubeClient | undefined
  readonly #metrics: Metrics
  readonly #authenticator: Authenticator
  readonly #unserved = followUnserved()
  readonly #closers: Closer[] = []
  #ready = false
  #closing: Promise<void> | undefined
  #access: DebugAccess | undefined
  #watcher: MeshWatcher | undefined
  #mesh: MeshState | undefined
  #keys: KeyService | undefined
  #kube: KubeSource | undefined
  #source: ConfigSource = memorySource()
  readonly #world: LiveWorld = createLiveWorld({ objects: () => this.#source.objects(), mesh: () => this.#documents() })
  #duties: ClusterDuties | undefined
  #meshSource: MeshSource | undefined
  #xds: XdsServer | undefined
  #trust: MeshTrust | undefined
  #further: FurtherRootsWatch | undefined
  #webhooks: RunningWebhooks | undefined

  constructor(options: DiscoveryOptions) {
    this.#options = options
    this.#debugContext = this.#makeDebugContext()
    this.#client = this.#connect()
    this.#metrics = createMetrics(() => this.#xds?.connections().length ?? 0)
    this.#authenticator = createAuthenticator({
      trustDomains: () => trustDomainsOf(this.#view()),
      reviewer: this.#client ? createTokenReviewer(this.#client, options.ca.audiences) : undefined,
      isRevoked: (certificate) => this.#trust?.isRevoked(certificate) ?? false,
    })
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
    this.#beginDuties(certificates)
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

  /** Whose service accounts see every debug page. */
  get #operatorNamespaces(): readonly string[] {
    return [this.#options.namespace, ...this.#options.debug.namespaces]
  }

  #documents(): MeshDocuments {
    return this.#watcher?.current ?? NO_DOCUMENTS
  }

  #view(): MeshView {
    return meshView(this.#documents(), this.#options.namespace)
  }

  #makeDebugContext(): DebugContext {
    return {
      clusterId: this.#options.clusterId,
      rootNamespace: () => this.#view().rootNamespace,
      connections: () => this.#xds?.connections() ?? [],
      source: () => this.#source,
      mesh: () => this.#documents(),
      inspect: () => this.#mesh?.inspect(),
      diagnostics: () => this.#mesh?.diagnostics() ?? [],
      templates: () => this.#webhooks?.templates() ?? {},
      find: (proxyId) => this.#meshSource?.find(proxyId),
      unserved: () => this.#unserved.list(),
    }
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
      debug: this.#debugContext,
    })
    const running = [http, monitoring].filter((server) => server !== undefined)
    this.#closers.push(...running.map((server) => () => server.close()))
    const access = createDebugAccess({
      authenticate: options.debug.authenticate,
      authenticator: this.#authenticator,
      namespaces: this.#operatorNamespaces,
      ports: running.map((server) => server.port),
    })
    this.#access = access
    this.#closers.push(() => access.stop())
    const { controlZ } = options.listen
    const levels = controlZ && (await startControlZ(controlZ))
    if (levels) this.#closers.push(() => levels.close())
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
        this.#further?.read(documents)
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
    const switches = { ...this.#options.translation, keysFetchedBy, severalAuthorizers, gatewaysOfOwnNamespace, http3 }
    const mesh = createMesh({ clusterId, domain, rootNamespace, trustDomain, revision, switches, onFault })
    mesh.setMeshConfig(watcher.current.mesh)
    mesh.setMeshNetworks(watcher.current.networks)
    this.#mesh = mesh
    const store = this.#client && createKeyStore(this.#client, namespace)
    const service = await startKeyService(mesh, keys, { store, observer: this.#metrics.keys })
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
      watchStatuses: (onChange) => this.mesh.watchStatuses(onChange),
      world: this.#world,
      mesh: () => this.#documents(),
      proxyConfig: (namespace, labels) => this.#mesh?.proxyConfig(namespace, labels) ?? {},
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
    const opened: { server?: ServerCertificates; late?: boolean } = {}
    const trust = await openMeshTrust({
      directory: ca.directory,
      // Where another server is the CA and gives this one its certificate, there is nothing to keep.
      client: ca.enabled || !findServingFiles(tls) ? this.#client : undefined,
      namespace,
      trustDomain: this.#view().trustDomain,
      rootTtlMs: ca.rootTtlMs,
      rootKey: ca.rootKey,
      keepInCacerts: ca.keepInCacerts,
      defaultTtlMs: ca.defaultTtlMs,
      maxTtlMs: ca.maxTtlMs,
      graceRatio: ca.graceRatio,
      enabled: ca.enabled,
      revocation: ca.revocation,
      externalCa: ca.external && { ...ca.external, rootPem: readIfThere(ca.external.rootFile) },
      serverSigner: ca.serverSigner,
      replica: replicaName(this.#options),
      connections: () => this.#xds?.connections() ?? [],
      formerTrustDomains: () => this.#view().trustDomainAliases,
      distributed: () => this.#duties?.rootsDistributed ?? true,
      onChange: (changed) => {
        opened.late = true
        opened.server?.renew()
        this.#metrics.certificates.authority(changed.serving)
        this.#duties?.refresh()
        this.#meshSource?.trustChanged()
      },
    })
    this.#trust = trust
    this.#closers.push(() => trust.stop())
    this.#followFurtherRoots(trust)
    this.#metrics.certificates.authority(trust.serving)
    opened.late = false
    const names = { namespace, domain, revision, customHost: ca.customHost }
    const server = await serveCertificates(trust, { ...names, files: tls, isCa: ca.enabled }, (material) => {
      for (const tell of onChange) tell(material)
      this.#duties?.refresh()
      this.#noteOutsideCa(material.clientRoots)
    })
    this.#noteOutsideCa(server.current.clientRoots)
    opened.server = server
    this.#closers.push(() => server.stop())
    if (opened.late) server.renew()
    return { trust, server, onChange }
  }

  #noteOutsideCa(rootsPem: string): void {
    const { ca, namespace } = this.#options
    if (ca.enabled || !this.#client) return
    noteOutsideCa(this.#client, namespace, rootsPem).catch((error: unknown) =>
      log.warn(`it could not be noted that another server is the CA: ${textOf(error)}`),
    )
  }

  #beginDuties({ trust, server }: Certificates): void {
    // What clients of this control plane check it by: its own roots, or those of whoever gave it its certificate.
    const roots = () => server.current.clientRoots
    this.#duties?.begin({ roots, revoked: () => trust.crlPem, discoverySelectors: () => this.#view().discoverySelectors })
    const client = this.#client
    const { leaderElection, namespace } = this.#options
    if (!client || !leaderElection) return trust.lead(new AbortController().signal)
    // One for all revisions: they share the CA.
    const election = { namespace, name: 'istio-ca-leader', identity: replicaName(this.#options), ...LEASE }
    const ours = electLeader(client, election, (signal) => trust.lead(signal))
    this.#closers.push(() => ours.stop())
  }

  #signingAuthenticator(): Authenticator {
    const client = this.#client
    if (!client) return this.#authenticator
    const { namespace } = this.#options
    return withJoinTokens(this.#authenticator, { client, namespace, trustDomain: () => this.#view().trustDomain })
  }

  /** Roots that the mesh configuration names, now and whenever it changes. */
  #followFurtherRoots(trust: MeshTrust): void {
    this.#further = followFurtherRoots((further) => trust.setFurtherRoots(further))
    this.#further.read(this.#documents())
    this.#closers.push(() => this.#further?.stop())
  }

  async #openXds(certificates: Certificates): Promise<void> {
    const { keepalive, xds, podName } = this.#options
    const workloads = this.#openWorkloads()
    const source = createMeshSource({
      workloads,
      mesh: this.mesh,
      checkIdentity: xds.checkIdentity,
      secretAccess: this.#client ? createSecretAccess(this.#client) : undefined,
      trust: certificates.trust.resources,
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
      inquiries: debugInquiries({ context: this.#debugContext, namespaces: this.#operatorNamespaces }),
      observer: this.#metrics.xds,
      limits,
      identifier: JSON.stringify({ Component: 'istiod', ID: podName ?? '', Info: { version: VERSION } }),
    })
    this.#xds = server
    const maxAge = keepalive.maxAgeMs < 2 ** 31 ? { 'grpc.max_connection_age_ms': keepalive.maxAgeMs } : {}
    await this.#openGrpcPorts(server, certificates, { ...grpcServerOptions(limits), ...maxAge })
    this.#closers.push(() => server.close({ graceMs: this.#options.shutdownMs }))
  }

  #openWorkloads(): WorkloadRegistry | undefined {
    const { workloadEntries, keepalive, podName } = this.#options
    if (!this.#client || !(workloadEntries.register || workloadEntries.healthChecks)) return undefined
    const workloads = createWorkloadRegistry({
      ...workloadEntries,
      client: this.#client,
      instance: podName ?? `${hostname()}-${process.pid}`,
      maxAgeMs: keepalive.maxAgeMs,
      observer: this.#metrics.registrations,
    })
    this.#closers.push(() => workloads.stop())
    return workloads
  }

  async #openGrpcPorts(server: XdsServer, certificates: Certificates, serverOptions: Readonly<Record<string, number>>): Promise<void> {
    const { listen, tls, ca, xds, shutdownMs, clusterId } = this.#options
    const store = new CertificateStore(certificates.server.current)
    certificates.onChange.push((material) => store.replace(material))
    const labelsOf = this.#client ? podLabels(this.#client, clusterId) : () => Promise.resolve({})
    const signing = {
      signer: certificates.trust.signer,
      authenticator: this.#signingAuthenticator(),
      observer: this.#metrics.certificates,
      unserved: this.#unserved,
      labelsOf,
    }
    if (listen.secureGrpc) {
      const secure = await startGrpc({
        name: 'xDS and certificates over TLS',
        flag: 'secureGRPCAddr',
        address: listen.secureGrpc,
        tls: { ...tls, certificates: store },
        serverOptions,
        limits: xds.connections,
        register: (grpc, proofs) => {
          server.register(grpc, { encrypted: true, proofs })
          if (ca.enabled) registerCertificateService(grpc, { ...signing, proofs })
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
        serverOptions,
        limits: xds.connections,
        register: (grpc, proofs) => server.register(grpc, { encrypted: false, proofs }),
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
      warnings: this.#options.validationWarnings ? createObjectWarnings(this.#world) : undefined,
    })
    if (!webhooks) return
    this.#webhooks = webhooks
    this.ports.https = webhooks.port
    onChange.push((material) => webhooks.replaceCertificate(material.certificateChain, material.privateKey))
    this.#closers.push(() => webhooks.close())
  }
}

interface Certificates {
  readonly trust: MeshTrust
  readonly server: ServerCertificates
  readonly onChange: ((material: ServerCertificates['current']) => void)[]
}

/** How this replica is told apart from others. */
const replicaName = ({ podName }: DiscoveryOptions): string => podName ?? `${hostname()}-${process.pid}`

const trustDomainsOf = ({ trustDomain, trustDomainAliases }: MeshView) => ({ own: trustDomain, aliases: trustDomainAliases })

function readIfThere(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
