/** Follows the pods bound to this node and keeps one worker for each. */
import { readdirSync, rmSync } from 'node:fs'
import { type KubeObject, objectKey } from '@lateen/api'
import { logger } from '@lateen/base'
import { messageOf } from '../kube/api-failure.ts'
import { isTerminal, type Pod, podSpec } from '../kube/pod.ts'
import type { Store } from '../kube/store.ts'
import type { AddressPool } from '../network/address-pool.ts'
import { loadPodRecord } from './container-record.ts'
import type { NodeContext } from './node-context.ts'
import { PodWorker } from './pod-worker.ts'
import { descendantsOf, isRunning, signal } from './process-table.ts'
import { removeSandbox } from './sandbox.ts'
import { podDirectories } from './state-layout.ts'

const log = logger('node')

export interface NodeAgentStores {
  readonly pods: Store<Pod>
  readonly configMaps: Store<KubeObject>
  readonly secrets: Store<KubeObject>
}

export class NodeAgent {
  readonly #node: NodeContext
  readonly #stores: NodeAgentStores
  readonly #addresses: AddressPool
  readonly #workers = new Map<string, PodWorker>()
  readonly #byKey = new Map<string, string>()
  #stopped = false

  constructor(node: NodeContext, stores: NodeAgentStores, addresses: AddressPool) {
    this.#node = node
    this.#stores = stores
    this.#addresses = addresses
  }

  /** Takes over the pods that run, removes what belongs to no pod any more, and follows changes from then on. */
  async start(): Promise<void> {
    await Promise.all([this.#stores.pods.synced, this.#stores.configMaps.synced, this.#stores.secrets.synced])
    await this.#sweep()
    this.#stores.pods.listen((_key, now, before) => this.#podChanged(now, before))
    const reference = (kind: string) => (_key: string, now: KubeObject | undefined, before: KubeObject | undefined) => {
      const object = now ?? before
      if (object) this.#configChanged(object.metadata.namespace ?? '', `${kind}/${object.metadata.name}`)
    }
    this.#stores.configMaps.listen(reference('ConfigMap'))
    this.#stores.secrets.listen(reference('Secret'))
  }

  worker(namespace: string, name: string): PodWorker | undefined {
    return this.#workers.get(this.#byKey.get(`${namespace}/${name}`) ?? '')
  }

  workers(): Iterable<PodWorker> {
    return this.#workers.values()
  }

  /** `keep`: pods go on running, to be found again by the next start. Otherwise they are ended within `grace` milliseconds. */
  async stop(pods: { readonly keep: true } | { readonly grace: number }): Promise<void> {
    this.#stopped = true
    if ('keep' in pods) for (const worker of this.#workers.values()) worker.detach()
    else await Promise.all([...this.#workers.values()].map((worker) => worker.shutDown(pods.grace)))
  }

  #podChanged(now: Pod | undefined, before: Pod | undefined): void {
    if (this.#stopped) return
    const uid = (now ?? before)?.metadata.uid ?? ''
    if (now && before && before.metadata.uid !== now.metadata.uid) this.#workers.get(before.metadata.uid ?? '')?.abandon()
    const worker = this.#workers.get(uid)
    if (!now) return worker?.abandon()
    if (podSpec(now).nodeName !== this.#node.facts.nodeName) return
    if (worker) return worker.update(now)
    if (isTerminal(now) && !now.metadata.deletionTimestamp && !loadPodRecord(podDirectories(this.#node.layout, uid).record)) return
    this.#add(uid, now)
  }

  #add(uid: string, pod: Pod): void {
    try {
      const key = objectKey(pod)
      const made = new PodWorker(pod, this.#node, this.#addresses, () => {
        this.#workers.delete(uid)
        if (this.#byKey.get(key) === uid) this.#byKey.delete(key)
      })
      this.#workers.set(uid, made)
      this.#byKey.set(key, uid)
    } catch (error) {
      log.error(`pod ${objectKey(pod)} cannot be run: ${messageOf(error)}`)
      this.#node.events.record({ object: pod }, 'Warning', 'FailedCreatePodSandBox', messageOf(error))
    }
  }

  #configChanged(namespace: string, reference: string): void {
    for (const worker of this.#workers.values()) if (worker.pod.metadata.namespace === namespace) worker.configChanged(reference)
  }

  /** Removes processes, sandboxes and files of pods that were deleted while this program did not run. */
  async #sweep(): Promise<void> {
    const wanted = new Set<string>()
    for (const pod of this.#stores.pods.all()) wanted.add(pod.metadata.uid ?? '')
    for (const uid of readdirSync(this.#node.layout.pods)) {
      if (wanted.has(uid)) continue
      const directories = podDirectories(this.#node.layout, uid)
      for (const { shim } of Object.values(loadPodRecord(directories.record)?.containers ?? {})) {
        if (shim && isRunning(shim)) for (const pid of descendantsOf(shim.pid)) signal(pid, 'SIGKILL')
      }
      await removeSandbox(directories.namespaces)
      for (const directory of [directories.layers, directories.root]) removeTree(directory)
    }
    for (const owner of this.#addresses.owners()) if (!wanted.has(owner)) this.#addresses.release(owner)
  }
}

function removeTree(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true })
  } catch (error) {
    log.warn(`${directory} could not be removed: ${messageOf(error)}`)
  }
}
