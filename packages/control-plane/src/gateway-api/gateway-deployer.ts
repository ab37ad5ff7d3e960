/**
 * Deploys the Gateways of the Gateway API that no address says are deployed already: an account, a Deployment and a Service for each, by
 * server-side apply. What was changed or deleted behind its back is put right; what somebody else made under the same name is left alone.
 *
 * Only the leader works. Gateways that go take their objects with them, by owner references.
 */
import { type KubeObject, objectKey, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { logger } from '@lateen/base'
import { type GatewayRequest, MANAGED_LABEL, readMesh, renderGateway } from '@lateen/inject'
import { isNotFound, type KubeClient, type ListWatch, listWatch } from '@lateen/kube'
import type { MeshDocuments } from '../mesh-config/mesh-documents.ts'
import { type InjectorConfigWatcher, watchInjectorConfig } from '../webhooks/injector-config.ts'
import { isForNewerController } from './controller-version.ts'
import { type ServedClass, servedClass } from './gateway-classes.ts'
import { type GatewayQueue, gatewayQueue } from './gateway-queue.ts'
import { gatewayRequest, type NamespaceFacts } from './gateway-request.ts'
import { gatewayOfListenerSet, gatewaySpec, isDeployed } from './gateway-spec.ts'
import { keepSelector, traitsOf } from './managed-objects.ts'

export interface GatewayDeployerOptions {
  readonly client: KubeClient
  /** The control plane's own, where defaults of classes and the injector's settings are. */
  readonly namespace: string
  readonly revision: string
  readonly clusterId: string
  readonly copiesMetadata: boolean
  readonly mesh: () => MeshDocuments
  /** What ProxyConfig objects say of a pod's proxy. */
  readonly proxyConfig: (namespace: string, labels: Readonly<Record<string, string>>) => GatewayRequest['proxyConfig']
}

export interface GatewayDeployer {
  /** Sees each object as the API server sent it, for what Gateways depend on: namespaces and ConfigMaps. */
  inspect(object: KubeObject): void
  /** Works until the signal aborts. */
  lead(signal: AbortSignal): void
  /** Looks at all Gateways again: the mesh's settings have changed. */
  refresh(): void
}

const FIELD_MANAGER = 'istio.io/gateway-controller'
const CLASS_DEFAULTS = 'gateway.istio.io/defaults-for-class'
const REVISION = 'istio.io/rev'
const GATEWAY_NAME = 'gateway.networking.k8s.io/gateway-name'

const kind = (group: string, version: string, name: string, plural: string): ResourceType => ({
  group,
  version,
  kind: name,
  plural,
  namespaced: true,
})
/** Everything that a template may make, by kind. */
const MADE: Readonly<Record<string, ResourceType>> = {
  ServiceAccount: RESOURCE_TYPES.ServiceAccount,
  Deployment: kind('apps', 'v1', 'Deployment', 'deployments'),
  Service: RESOURCE_TYPES.Service,
  HorizontalPodAutoscaler: kind('autoscaling', 'v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers'),
  PodDisruptionBudget: kind('policy', 'v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
}

const log = logger('gateways')
const NOTHING: NamespaceFacts = { labels: {}, annotations: {} }

export function createGatewayDeployer(options: GatewayDeployerOptions): GatewayDeployer {
  const namespaces = new Map<string, NamespaceFacts>()
  let term: Term | undefined
  return {
    inspect: (object) => {
      const { name, namespace = '', labels = {}, annotations = {} } = object.metadata
      if (object.kind === 'Namespace') {
        const known = namespaces.get(name)
        const facts = { labels, annotations }
        namespaces.set(name, facts)
        if (JSON.stringify(known) !== JSON.stringify(facts)) term?.namespaceChanged(name)
      } else if (object.kind === 'ConfigMap') term?.configMapChanged(`${namespace}/${name}`, labels[CLASS_DEFAULTS] !== undefined)
    },
    lead: (signal) => {
      term = new Term(options, (name) => namespaces.get(name) ?? NOTHING, signal)
    },
    refresh: () => term?.refresh(),
  }
}

/** One term of leadership: everything is read anew at its beginning. */
class Term {
  readonly #options: GatewayDeployerOptions
  readonly #namespace: (name: string) => NamespaceFacts
  readonly #gateways = new Map<string, KubeObject>()
  readonly #classes = new Map<string, KubeObject>()
  readonly #listenerSets = new Map<string, KubeObject>()
  /** What of each object that was made is ours to keep, as it was last seen: `Kind/namespace/name`. */
  readonly #made = new Map<string, string>()
  readonly #queue: GatewayQueue
  readonly #watches: ListWatch[]
  readonly #injector: InjectorConfigWatcher
  readonly #signal: AbortSignal
  #kubernetesVersion = 0
  #ready = false

  constructor(options: GatewayDeployerOptions, namespace: (name: string) => NamespaceFacts, signal: AbortSignal) {
    this.#options = options
    this.#namespace = namespace
    this.#signal = signal
    this.#queue = gatewayQueue((key) => this.#reconcile(key), signal)
    const refresh = () => this.refresh()
    this.#injector = watchInjectorConfig(options.client, options.namespace, options.revision, refresh)
    this.#watches = [
      this.#follow(RESOURCE_TYPES.GatewayClass, this.#classes, refresh),
      this.#follow(RESOURCE_TYPES.KubernetesGateway, this.#gateways, (gateway) => this.#consider(objectKey(gateway))),
      this.#follow(RESOURCE_TYPES.ListenerSet, this.#listenerSets, (set) => {
        const gateway = gatewayOfListenerSet(set)
        if (gateway) this.#consider(gateway)
      }),
      ...Object.values(MADE).map((type) => this.#followMade(type)),
    ]
    signal.addEventListener('abort', () => {
      for (const watch of [...this.#watches, this.#injector]) watch.stop()
    })
    void this.#begin()
  }

  refresh(): void {
    for (const key of this.#gateways.keys()) this.#consider(key)
  }

  namespaceChanged(name: string): void {
    for (const [key, { metadata }] of this.#gateways) if (metadata.namespace === name) this.#consider(key)
    for (const set of this.#listenerSets.values()) {
      const gateway = set.metadata.namespace === name ? gatewayOfListenerSet(set) : undefined
      if (gateway) this.#consider(gateway)
    }
  }

  configMapChanged(key: string, isDefault: boolean): void {
    for (const [name, gateway] of this.#gateways) if (isDefault || parametersOf(gateway) === key) this.#consider(name)
  }

  /** Nothing is deployed from half of what is to be known. */
  async #begin(): Promise<void> {
    await Promise.all([...this.#watches.map(({ synced }) => synced), this.#injector.synced])
    this.#kubernetesVersion = await readVersion(this.#options.client)
    this.#ready = true
    this.refresh()
  }

  #consider(key: string): void {
    if (this.#ready) this.#queue.add(key)
  }

  #follow(type: ResourceType, into: Map<string, KubeObject>, changed: (object: KubeObject) => void): ListWatch {
    const { client } = this.#options
    return listWatch(
      client,
      type,
      { optional: true, project: withoutStatus, log },
      {
        replace: (objects) => {
          into.clear()
          for (const object of objects) into.set(objectKey(object), object)
          for (const object of objects) changed(object)
        },
        set: (object) => {
          const before = into.get(objectKey(object))
          into.set(objectKey(object), object)
          // Statuses change all the time.
          if (before && traitsOf(before) === traitsOf(object)) return
          changed(object)
        },
        delete: (object) => {
          into.delete(objectKey(object))
          changed(object)
        },
      },
    )
  }

  #followMade(type: ResourceType): ListWatch {
    const keyOf = (object: KubeObject) => `${type.kind}/${objectKey(object)}`
    const changed = (object: KubeObject) => {
      const gateway = object.metadata.labels?.[GATEWAY_NAME]
      if (gateway) this.#consider(`${object.metadata.namespace ?? ''}/${gateway}`)
    }
    return listWatch(
      this.#options.client,
      type,
      { labelSelector: MANAGED_LABEL, optional: true, log },
      {
        replace: (objects) => {
          for (const key of this.#made.keys()) if (key.startsWith(`${type.kind}/`)) this.#made.delete(key)
          for (const object of objects) this.#made.set(keyOf(object), traitsOf(object))
          // Something may have been deleted meanwhile.
          this.refresh()
        },
        set: (object) => {
          const known = this.#made.get(keyOf(object))
          this.#made.set(keyOf(object), traitsOf(object))
          if (known !== undefined && known !== traitsOf(object)) changed(object)
        },
        delete: (object) => {
          this.#made.delete(keyOf(object))
          changed(object)
        },
      },
    )
  }

  async #reconcile(key: string): Promise<void> {
    const gateway = this.#gateways.get(key)
    if (!gateway || gateway.metadata.deletionTimestamp) return
    const spec = gatewaySpec(gateway)
    const served = servedClass(spec.gatewayClassName ?? '', this.#classes.get(spec.gatewayClassName ?? ''))
    if (!served || !isOwn(served) || !isDeployed(spec) || !this.#isOfRevision(gateway) || isForNewerController(gateway)) return
    for (const object of await this.#render(key, gateway, served)) {
      if (this.#signal.aborted) return
      await this.#apply(object)
    }
    log.debug(`Gateway ${key} is deployed`)
  }

  /** By its label, else by its namespace's; without either, the default revision's. */
  #isOfRevision({ metadata }: KubeObject): boolean {
    const asked = metadata.labels?.[REVISION] ?? this.#namespace(metadata.namespace ?? '').labels[REVISION] ?? 'default'
    return asked === this.#options.revision
  }

  /** Objects that cannot be made are the user's to put right; trying again would not help. */
  async #render(key: string, gateway: KubeObject, served: OwnClass): Promise<KubeObject[]> {
    try {
      const { copiesMetadata, clusterId, mesh, proxyConfig, revision } = this.#options
      const { config, values } = this.#injector.current
      return renderGateway(
        gatewayRequest(gateway, {
          served,
          listenerSets: [...this.#listenerSets.values()],
          namespace: this.#namespace,
          copiesMetadata,
          clusterId,
          kubernetesVersion: this.#kubernetesVersion,
          proxyConfig: proxyConfig(gateway.metadata.namespace ?? '', { [GATEWAY_NAME]: gateway.metadata.name }),
          settings: { config, values, mesh: readMesh(mesh().mesh), revision },
          overlays: await this.#overlays(gateway),
        }),
      )
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      log.error(`Gateway ${key} is not deployed: ${error.message}`)
      return []
    }
  }

  /** Defaults of the class, then the Gateway's own parameters. */
  async #overlays(gateway: KubeObject): Promise<Readonly<Record<string, string>>[]> {
    const { client, namespace } = this.#options
    const spec = gatewaySpec(gateway)
    const className = spec.gatewayClassName ?? ''
    const { items } = await client.list(RESOURCE_TYPES.ConfigMap, { namespace, labelSelector: `${CLASS_DEFAULTS}=${className}` })
    const [defaults] = items.sort((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1))
    const overlays = defaults ? [textsOf(defaults)] : []
    const { parametersRef } = spec.infrastructure ?? {}
    if (!parametersRef) return overlays
    const { group, kind: refKind, name } = parametersRef
    if (group !== '' || refKind !== 'ConfigMap')
      throw new RangeError(`its infrastructure.parametersRef names a ${refKind} of group "${group}"; only a ConfigMap can be named`)
    const own = await found(client.get(RESOURCE_TYPES.ConfigMap, gateway.metadata.namespace, name))
    if (!own) throw new RangeError(`its infrastructure.parametersRef names ConfigMap ${name}, which is not there`)
    return [...overlays, textsOf(own)]
  }

  async #apply(object: KubeObject): Promise<void> {
    const { client } = this.#options
    const { kind: made, metadata } = object
    const type = MADE[made]
    if (!type) return
    const present = await found(client.get(type, metadata.namespace, metadata.name))
    if (present && present.metadata.labels?.[MANAGED_LABEL] === undefined) {
      log.warn(`${made} ${objectKey(object)} is there and was not made for a Gateway: it stays as it is`)
      return
    }
    // With the version that was looked at: somebody may make or change it in between.
    const { resourceVersion } = present?.metadata ?? {}
    const wanted = keepSelector({ ...object, metadata: { ...metadata, ...(resourceVersion ? { resourceVersion } : {}) } }, present)
    const written = await client.apply(type, wanted, { fieldManager: FIELD_MANAGER, force: true })
    this.#made.set(`${made}/${objectKey(object)}`, traitsOf(written))
  }
}

type OwnClass = ServedClass & { readonly deployment: NonNullable<ServedClass['deployment']> }
const isOwn = (served: ServedClass): served is OwnClass => served.deployment !== undefined

function parametersOf(gateway: KubeObject): string | undefined {
  const { parametersRef } = gatewaySpec(gateway).infrastructure ?? {}
  return parametersRef && `${gateway.metadata.namespace ?? ''}/${parametersRef.name}`
}

function textsOf({ data }: KubeObject): Record<string, string> {
  const entries = Object.entries(typeof data === 'object' && data !== null ? data : {})
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}

function withoutStatus({ apiVersion, kind: kindName, metadata, spec }: KubeObject): KubeObject {
  const { name, namespace, uid, labels, annotations, deletionTimestamp, creationTimestamp } = metadata
  return {
    apiVersion,
    kind: kindName,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
    spec,
  }
}

async function found<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** `100 * major + minor`; 0 when it cannot be read. */
async function readVersion(client: KubeClient): Promise<number> {
  try {
    const { major = '', minor = '' } = await client.request<{ readonly major?: string; readonly minor?: string }>('GET', '/version')
    return 100 * (Number.parseInt(major, 10) || 0) + (Number.parseInt(minor, 10) || 0)
  } catch {
    return 0
  }
}
