/**
 * Deploys the Gateways of the Gateway API that no address says are deployed already: an account, a Deployment and a Service for each, by
 * server-side apply. What was changed or deleted behind its back is put right; what somebody else made under the same name is left alone.
 *
 * Only the leader works. Gateways that go take their objects with them, by owner references.
 */
import { type KubeObject, objectKey, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { logger } from '@lateen/base'
import { createEvent, projectConfig } from '@lateen/config'
import { GATEWAY_NAME_LABEL, type GatewayRequest, readMesh, renderGateway } from '@lateen/inject'
import { type KubeClient, type ListWatch, listWatch } from '@lateen/kube'
import type { MeshDocuments } from '../mesh-config/mesh-documents.ts'
import { type InjectorConfigWatcher, watchInjectorConfig } from '../webhooks/injector-config.ts'
import { isForNewerController } from './controller-version.ts'
import { type ServedClass, servedClass } from './gateway-classes.ts'
import { type GatewayQueue, gatewayQueue } from './gateway-queue.ts'
import { gatewayRequest, type NamespaceFacts } from './gateway-request.ts'
import { gatewayOfListenerSet, gatewaySpec, isDeployed } from './gateway-spec.ts'
import { followMadeObjects, type MadeObjects } from './made-objects.ts'
import { traitsOf } from './object-traits.ts'
import { CLASS_DEFAULTS, parametersOf, readOverlays } from './overlay-sources.ts'

export interface GatewayDeployerOptions {
  readonly client: KubeClient
  /** The control plane's own, where defaults of classes and the injector's settings are. */
  readonly namespace: string
  readonly revision: string
  readonly clusterId: string
  readonly copiesMetadata: boolean
  readonly tlsPolicy?: GatewayRequest['settings']['tlsPolicy']
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

const REVISION = 'istio.io/rev'
const TAG = 'istio.io/tag'
const NOTHING: NamespaceFacts = { labels: {}, annotations: {} }
const log = logger('gateways')

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
  readonly #signal: AbortSignal
  readonly #gateways = new Map<string, KubeObject>()
  readonly #classes = new Map<string, KubeObject>()
  readonly #listenerSets = new Map<string, KubeObject>()
  /** Webhook configurations that give a revision another name. */
  readonly #tags = new Map<string, KubeObject>()
  readonly #made: MadeObjects
  readonly #queue: GatewayQueue
  readonly #injector: InjectorConfigWatcher
  #kubernetesVersion = 0
  #ready = false

  constructor(options: GatewayDeployerOptions, namespace: (name: string) => NamespaceFacts, signal: AbortSignal) {
    this.#options = options
    this.#namespace = namespace
    this.#signal = signal
    this.#queue = gatewayQueue((key) => this.#reconcile(key), signal)
    const refresh = () => this.refresh()
    this.#injector = watchInjectorConfig(options.client, options.namespace, options.revision, refresh)
    const { client } = options
    this.#made = followMadeObjects({ client, signal, onChange: (gateway) => this.#consider(gateway), onRelist: refresh })
    const watches = [
      this.#follow(RESOURCE_TYPES.GatewayClass, this.#classes, refresh),
      this.#follow(RESOURCE_TYPES.KubernetesGateway, this.#gateways, (gateway) => this.#consider(objectKey(gateway))),
      this.#follow(RESOURCE_TYPES.ListenerSet, this.#listenerSets, (set) => this.#consider(gatewayOfListenerSet(set))),
      this.#follow(RESOURCE_TYPES.MutatingWebhookConfiguration, this.#tags, refresh, TAG),
    ]
    signal.addEventListener('abort', () => {
      for (const watch of [...watches, this.#injector]) watch.stop()
    })
    void this.#begin(watches)
  }

  refresh(): void {
    for (const key of this.#gateways.keys()) this.#consider(key)
  }

  namespaceChanged(name: string): void {
    for (const [key, { metadata }] of this.#gateways) if (metadata.namespace === name) this.#consider(key)
    for (const set of this.#listenerSets.values()) if (set.metadata.namespace === name) this.#consider(gatewayOfListenerSet(set))
  }

  configMapChanged(key: string, isDefault: boolean): void {
    for (const [name, gateway] of this.#gateways) if (isDefault || parametersOf(gateway) === key) this.#consider(name)
  }

  /** Nothing is deployed from half of what is to be known. */
  async #begin(watches: readonly ListWatch[]): Promise<void> {
    await Promise.all([...watches.map(({ synced }) => synced), this.#made.synced, this.#injector.synced])
    this.#kubernetesVersion = await readVersion(this.#options.client)
    this.#ready = true
    this.refresh()
  }

  #consider(key: string | undefined): void {
    if (this.#ready && key !== undefined) this.#queue.add(key)
  }

  #follow(
    type: ResourceType,
    into: Map<string, KubeObject>,
    changed: (object: KubeObject) => void,
    labelSelector: string | undefined = undefined,
  ): ListWatch {
    return listWatch(
      this.#options.client,
      type,
      { optional: true, project, log, ...(labelSelector ? { labelSelector } : {}) },
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
          if (!before || traitsOf(before) !== traitsOf(object)) changed(object)
        },
        delete: (object) => {
          into.delete(objectKey(object))
          changed(object)
        },
      },
    )
  }

  async #reconcile(key: string): Promise<void> {
    const gateway = this.#gateways.get(key)
    if (!gateway) return
    const spec = gatewaySpec(gateway)
    const served = servedClass(spec.gatewayClassName ?? '', this.#classes.get(spec.gatewayClassName ?? ''))
    if (!served || !hasDeployment(served) || !isDeployed(spec) || !this.#isOfRevision(gateway) || isForNewerController(gateway)) return
    for (const object of await this.#render(gateway, served)) {
      if (this.#signal.aborted) return
      if ((await this.#made.apply(object)) === 'taken')
        await this.#complain(gateway, `${object.kind} ${objectKey(object)} was not made for a Gateway, and stays as it is`)
    }
    log.debug(`Gateway ${key} is deployed`)
  }

  /** By its label, else by its namespace's, which may be a tag of a revision; without either, the default revision's. */
  #isOfRevision({ metadata }: KubeObject): boolean {
    const asked = metadata.labels?.[REVISION] ?? this.#namespace(metadata.namespace ?? '').labels[REVISION] ?? 'default'
    const tag = [...this.#tags.values()].find(({ metadata: { labels } }) => labels?.[TAG] === asked)
    return (tag?.metadata.labels?.[REVISION] ?? asked) === this.#options.revision
  }

  /** Objects that cannot be made are the user's to put right; trying again would not help. */
  async #render(gateway: KubeObject, served: DeployedClass): Promise<KubeObject[]> {
    const { client, namespace, copiesMetadata, clusterId, mesh, proxyConfig, revision, tlsPolicy } = this.#options
    const { config, values } = this.#injector.current
    try {
      return renderGateway(
        gatewayRequest(gateway, {
          served,
          listenerSets: [...this.#listenerSets.values()],
          namespace: this.#namespace,
          copiesMetadata,
          clusterId,
          kubernetesVersion: this.#kubernetesVersion,
          proxyConfig: proxyConfig(gateway.metadata.namespace ?? '', { [GATEWAY_NAME_LABEL]: gateway.metadata.name }),
          settings: { config, values, mesh: readMesh(mesh().mesh), revision, tlsPolicy },
          overlays: await readOverlays(client, namespace, gateway),
        }),
      )
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error
      await this.#complain(gateway, `it is not deployed: ${error.message}`)
      return []
    }
  }

  async #complain(gateway: KubeObject, message: string): Promise<void> {
    log.warn(`Gateway ${objectKey(gateway)}: ${message}`)
    await createEvent(this.#options.client, gateway, { type: 'Warning', reason: 'NotDeployed', message, component: 'istiod' })
  }
}

type DeployedClass = ServedClass & { readonly deployment: NonNullable<ServedClass['deployment']> }
const hasDeployment = (served: ServedClass): served is DeployedClass => served.deployment !== undefined

/** One that is being deleted is not deployed any more. */
const project = (object: KubeObject): KubeObject | undefined => (object.metadata.deletionTimestamp ? undefined : projectConfig(object))

/** `100 * major + minor`; 0 when it cannot be read. */
async function readVersion(client: KubeClient): Promise<number> {
  try {
    const { major = '', minor = '' } = await client.request<{ readonly major?: string; readonly minor?: string }>('GET', '/version')
    return 100 * (Number.parseInt(major, 10) || 0) + (Number.parseInt(minor, 10) || 0)
  } catch {
    return 0
  }
}
