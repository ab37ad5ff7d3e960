/**
 * A ConfigMap in every namespace: `istio-ca-root-cert`, what workloads verify the control plane and each other with, and
 * `istio-ca-crl`, what has been revoked.
 *
 * A missing one is made by any replica at once, because pods wait for it; one that differs is changed by the leader alone, so that
 * replicas that see a new root at different times do not fight.
 */
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { logger } from '@lateen/base'
import { isConflict, isNotFound, type KubeClient, type ListWatch, listWatch } from '@lateen/kube'
import { isFields } from '../mesh-config/mesh-documents.ts'

export interface RootDistributionOptions {
  readonly client: KubeClient
  readonly configMap: string
  /** The entry that holds the text. */
  readonly key: 'root-cert.pem' | 'ca-crl.pem'
  /** The text; while it is empty no ConfigMap is made, but one that is there is emptied. */
  readonly text: () => string
  /** Whether the mesh looks into a namespace. */
  readonly isSelected: (labels: Readonly<Record<string, string>>) => boolean
}

export interface RootDistribution {
  /** Looks at all namespaces again: the roots, the selection or the leadership have changed. */
  refresh(): void
  /** Every namespace has the present text, as far as is known. */
  readonly settled: boolean
  lead(signal: AbortSignal): void
  stop(): void
}

const log = logger('ca')
const LABEL = { 'istio.io/config': 'true' }
const CONCURRENCY = 8
const RETRY_MS = 2_000
/** Namespaces in which a node's own components run, and that Istio leaves alone. */
const LEFT_ALONE = new Set(['kube-system', 'kube-public', 'kube-node-lease', 'local-path-storage'])

export function distributeRoots(options: RootDistributionOptions): RootDistribution {
  return new RootDistributor(options)
}

class RootDistributor implements RootDistribution {
  readonly #options: RootDistributionOptions
  readonly #namespaces = new Map<string, Readonly<Record<string, string>>>()
  readonly #maps = new Map<string, string>()
  readonly #queue = new Set<string>()
  readonly #watches: ListWatch[]
  #running = 0
  #leading = false
  #stopped = false
  #retry: NodeJS.Timeout | undefined

  constructor(options: RootDistributionOptions) {
    this.#options = options
    const { client, configMap } = options
    const maps = listWatch(
      client,
      RESOURCE_TYPES.ConfigMap,
      { fieldSelector: `metadata.name=${configMap}`, log },
      {
        replace: (objects) => {
          this.#maps.clear()
          for (const object of objects) this.#maps.set(object.metadata.namespace ?? '', textOf(object, options.key))
          this.refresh()
        },
        set: (object) => this.#seen(object.metadata.namespace ?? '', textOf(object, options.key)),
        delete: (object) => this.#seen(object.metadata.namespace ?? '', undefined),
      },
    )
    const namespaces = listWatch(
      client,
      RESOURCE_TYPES.Namespace,
      { project: projectNamespace, log },
      {
        replace: (objects) => {
          this.#namespaces.clear()
          for (const { metadata } of objects) this.#namespaces.set(metadata.name, metadata.labels ?? {})
          void maps.synced.then(() => this.refresh())
        },
        set: ({ metadata }) => {
          this.#namespaces.set(metadata.name, metadata.labels ?? {})
          void maps.synced.then(() => this.#consider(metadata.name))
        },
        delete: ({ metadata }) => void this.#namespaces.delete(metadata.name),
      },
    )
    this.#watches = [maps, namespaces]
  }

  refresh(): void {
    for (const namespace of this.#namespaces.keys()) this.#consider(namespace)
  }

  get settled(): boolean {
    const text = this.#options.text()
    return [...this.#namespaces].every(([name, labels]) => !this.#concerns(name, labels) || (this.#maps.get(name) ?? '') === text)
  }

  lead(signal: AbortSignal): void {
    this.#leading = true
    signal.addEventListener('abort', () => {
      this.#leading = false
    })
    this.refresh()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#retry)
    for (const watch of this.#watches) watch.stop()
  }

  #seen(namespace: string, roots: string | undefined): void {
    if (roots === undefined) this.#maps.delete(namespace)
    else this.#maps.set(namespace, roots)
    this.#consider(namespace)
  }

  #consider(namespace: string): void {
    if (!this.#wants(namespace)) return
    this.#queue.add(namespace)
    this.#work()
  }

  #wants(namespace: string): boolean {
    const labels = this.#namespaces.get(namespace)
    if (!labels || !this.#concerns(namespace, labels)) return false
    const known = this.#maps.get(namespace)
    const text = this.#options.text()
    return known === undefined ? text !== '' : this.#leading && known !== text
  }

  #concerns(namespace: string, labels: Readonly<Record<string, string>>): boolean {
    return !LEFT_ALONE.has(namespace) && this.#options.isSelected(labels)
  }

  #work(): void {
    for (const namespace of this.#queue) {
      if (this.#running >= CONCURRENCY || this.#stopped) return
      this.#queue.delete(namespace)
      if (!this.#wants(namespace)) continue
      this.#running++
      void this.#write(namespace).finally(() => {
        this.#running--
        this.#work()
      })
    }
  }

  async #write(namespace: string): Promise<void> {
    const { client, configMap, key, text } = this.#options
    const data = { [key]: text() }
    try {
      if (this.#maps.has(namespace)) await client.patch(RESOURCE_TYPES.ConfigMap, namespace, configMap, { data })
      else
        await client.create(RESOURCE_TYPES.ConfigMap, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: configMap, namespace, labels: LABEL },
          data,
        })
      this.#maps.set(namespace, data[key] ?? '')
    } catch (error) {
      // Another replica was faster, or the namespace is going away.
      if (isConflict(error) || isNotFound(error)) return
      if (error instanceof Error && error.message.includes('being terminated')) return
      log.warn(
        `ConfigMap ${configMap} was not written to namespace ${namespace}: ${error instanceof Error ? error.message : String(error)}`,
      )
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined
        this.refresh()
      }, RETRY_MS)
    }
  }
}

/** A namespace that is being deleted takes no new objects. */
function projectNamespace({ apiVersion, kind, metadata }: KubeObject): KubeObject | undefined {
  if (metadata.deletionTimestamp) return undefined
  return { apiVersion, kind, metadata: { name: metadata.name, ...(metadata.labels ? { labels: metadata.labels } : {}) } }
}

function textOf({ data }: KubeObject, key: string): string {
  const text = isFields(data) ? data[key] : undefined
  return typeof text === 'string' ? text : ''
}
