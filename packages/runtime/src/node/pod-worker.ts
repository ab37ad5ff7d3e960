/**
 * Brings one pod to life and keeps it so: address and sandbox, volumes, init containers in order, sidecars, containers, restarts, the end.
 *
 * Everything is decided by `#sync`, which looks at how things are and does what is due next; it runs again whenever something changed. So
 * a pod found after a restart of the agent needs no code of its own.
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { logger } from '@lateen/base'
import { isConflict, isNotFound, messageOf } from '../kube/api-failure.ts'
import { POD } from '../kube/kinds.ts'
import { isSidecar, isTerminal, type Pod, type PodStatus, podSpec } from '../kube/pod.ts'
import type { AddressPool } from '../network/address-pool.ts'
import { type PodVolumes, preparePodVolumes } from '../volumes/pod-volumes.ts'
import { referencesOf } from '../volumes/volume-files.ts'
import { loadPodRecord, newContainerRecord, type PodRecord, savePodRecord } from './container-record.ts'
import { ContainerRun, graceOf, type PodSurroundings } from './container-run.ts'
import type { NodeContext } from './node-context.ts'
import { hostnameOf, writePodFiles } from './pod-files.ts'
import { type Phase, phaseOf, podStatus } from './pod-status.ts'
import type { Mount } from './root-builder.ts'
import { runCommand } from './run-command.ts'
import { createSandbox, removeSandbox, sandboxExists } from './sandbox.ts'
import { type PodDirectories, podDirectories } from './state-layout.ts'

const log = logger('node')
const RETRY_MS = 1_000
const LONGEST_LEAVING_MS = 1_500

export class PodWorker {
  readonly uid: string
  #pod: Pod
  readonly #node: NodeContext
  readonly #addresses: AddressPool
  readonly #directories: PodDirectories
  readonly #record: PodRecord
  readonly #inits: ContainerRun[]
  readonly #mains: ContainerRun[]
  readonly #onGone: () => void
  #podFiles: Mount[] = []
  #volumes: PodVolumes | undefined
  #failure: { reason: string; message: string } | undefined
  #sandboxReady = false
  #syncing = false
  #again = false
  #scheduled = false
  #timer: NodeJS.Timeout | undefined
  #timerDue = 0
  #ending: Promise<void> | undefined
  #leaving: Promise<void> | undefined
  #abandoned = false
  #sent = ''
  #sending = false
  #volumeComplaint = ''

  constructor(pod: Pod, node: NodeContext, addresses: AddressPool, onGone: () => void) {
    this.#pod = pod
    this.uid = pod.metadata.uid ?? ''
    this.#node = node
    this.#addresses = addresses
    this.#onGone = onGone
    this.#directories = podDirectories(node.layout, this.uid)
    for (const directory of [this.#directories.root, this.#directories.containers, this.#directories.layers, this.#directories.volumes])
      mkdirSync(directory, { recursive: true })
    const known = loadPodRecord(this.#directories.record)
    this.#record = known ?? newRecord(pod)
    const around = this.#surroundings()
    const spec = podSpec(pod)
    const run = (container: (typeof spec.containers)[number], role: 'init' | 'main') => {
      this.#record.containers[container.name] ??= newContainerRecord()
      return new ContainerRun(
        container,
        role === 'init' && isSidecar(container) ? 'sidecar' : role,
        this.#record.containers[container.name] ?? newContainerRecord(),
        around,
      )
    }
    this.#inits = (spec.initContainers ?? []).map((container) => run(container, 'init'))
    this.#mains = spec.containers.map((container) => run(container, 'main'))
    if (known) this.#adopt()
    this.#changed()
  }

  get pod(): Pod {
    return this.#pod
  }

  get address(): string {
    return this.#record.address
  }

  get sandboxDirectory(): string | undefined {
    return podSpec(this.#pod).hostNetwork ? undefined : this.#directories.namespaces
  }

  container(name: string): ContainerRun | undefined {
    return [...this.#mains, ...this.#inits].find(({ spec }) => spec.name === name)
  }

  containerNames(): string[] {
    return this.#mains.map(({ spec }) => spec.name)
  }

  update(pod: Pod): void {
    const labels = JSON.stringify([this.#pod.metadata.labels, this.#pod.metadata.annotations])
    this.#pod = pod
    if (labels !== JSON.stringify([pod.metadata.labels, pod.metadata.annotations])) this.refreshVolumes()
    this.#changed()
  }

  /** A ConfigMap or Secret changed; `reference` as in `referencesOf`. */
  configChanged(reference: string): void {
    if (referencesOf(this.#pod).has(reference)) this.refreshVolumes()
  }

  refreshVolumes(): void {
    void this.#prepareVolumes().then(() => this.#changed())
  }

  /** The pod was removed from the API without the agent: end everything at once. */
  abandon(): void {
    this.#abandoned = true
    for (const run of [...this.#mains, ...this.#inits]) run.kill()
    void this.#end(0)
  }

  /** Stops looking after the pod and leaves it running, for a restart of this program. */
  detach(): void {
    this.#again = false
    this.#ending ??= Promise.resolve()
    clearTimeout(this.#timer)
    for (const run of [...this.#mains, ...this.#inits]) run.detach()
  }

  /** Ends the pod's containers in the right order and removes what the node has of it; the API object stays. */
  async shutDown(grace: number): Promise<void> {
    this.#abandoned = true
    await this.#end(grace)
  }

  #adopt(): void {
    this.#podFiles = []
    const alive = this.#hasSandbox()
    for (const run of [...this.#inits, ...this.#mains]) {
      if (alive) run.adopt()
      else run.markLost()
    }
    if (!alive) this.#forgetInit()
  }

  #forgetInit(): void {
    this.#record.initialized = false
    for (const run of this.#inits) run.reset()
  }

  #hasSandbox(): boolean {
    return podSpec(this.#pod).hostNetwork === true || sandboxExists(this.#directories.namespaces)
  }

  /** Something changed: save, tell the API, look what is due. */
  #changed(): void {
    if (this.#abandoned) return
    this.#again = true
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      void this.#loop()
    })
  }

  async #loop(): Promise<void> {
    this.#save()
    void this.#report()
    if (this.#syncing) return
    this.#syncing = true
    try {
      while (this.#again) {
        this.#again = false
        await this.#sync()
        this.#save()
        void this.#report()
      }
    } catch (error) {
      log.warn(`pod ${this.#name}: ${messageOf(error)}; trying again`)
      this.#lookIn(RETRY_MS)
    } finally {
      this.#syncing = false
    }
  }

  #lookIn(milliseconds: number): void {
    const due = Date.now() + milliseconds
    if (this.#timer && this.#timerDue > Date.now() && this.#timerDue <= due) return
    clearTimeout(this.#timer)
    this.#timerDue = due
    this.#timer = setTimeout(() => this.#changed(), milliseconds)
  }

  async #sync(): Promise<void> {
    if (this.#ending || this.#abandoned) return
    if (this.#pod.metadata.deletionTimestamp) {
      void this.#delete()
      return
    }
    if (isTerminal(this.#pod) && !this.#anyRunning()) {
      await this.#releaseSandbox()
      return
    }
    if (this.#deadlinePassed() || this.#failure) return this.#fail()
    if (!(await this.#ensureSandbox())) return
    if (!this.#volumes && !(await this.#prepareVolumes())) return this.#lookIn(RETRY_MS)
    if (!(await this.#initialize())) return
    for (const run of this.#mains) if (!(await this.#keepRunning(run))) break
    if (this.#mainsDone()) await this.#stopSidecars(graceOf(this.#pod))
  }

  async #ensureSandbox(): Promise<boolean> {
    if (this.#sandboxReady) return true
    const spec = podSpec(this.#pod)
    if (spec.hostNetwork) this.#record.address = this.#node.gateway
    else this.#record.address = this.#addresses.assign(this.uid)
    if (!this.#hasSandbox()) await this.#makeSandbox()
    this.#podFiles = writePodFiles(this.#directories.etc, this.#pod, this.#addressesNow(), this.#node.names)
    const shm = join(this.#directories.layers, 'shm')
    mkdirSync(shm, { recursive: true })
    chmodSync(shm, 0o1777)
    this.#sandboxReady = true
    this.#save()
    void this.#report()
    return true
  }

  #addressesNow(): readonly string[] {
    return this.#record.address ? this.#node.facts.addressesOf(this.#record.address) : []
  }

  async #makeSandbox(): Promise<void> {
    // What an unfinished try left behind would be in the way.
    await removeSandbox(this.#directories.namespaces)
    const link = `v${this.uid.replaceAll('-', '').slice(0, 12)}`
    await runCommand('ip', ['link', 'del', link]).catch(() => undefined)
    try {
      await createSandbox({
        directory: this.#directories.namespaces,
        hostname: hostnameOf(this.#pod),
        addresses: this.#addressesNow(),
        gateways: this.#node.facts.addressesOf(this.#node.gateway),
        bridge: this.#node.bridge,
        link,
        sysctls: podSpec(this.#pod).securityContext?.sysctls ?? [],
      })
    } catch (error) {
      this.#node.events.record(
        { object: this.#pod },
        'Warning',
        'FailedCreatePodSandBox',
        `Failed to create pod sandbox: ${messageOf(error)}`,
      )
      await removeSandbox(this.#directories.namespaces)
      throw error
    }
  }

  async #prepareVolumes(): Promise<boolean> {
    if (this.#ending || !this.#record.address) return false
    try {
      const node = this.#node
      this.#volumes = await preparePodVolumes(this.#directories.volumes, join(node.layout.root, 'claims'), {
        pod: this.#pod,
        address: this.#record.address,
        node: node.facts,
        source: node.source,
        tokens: node.tokens,
        manyIds: node.manyIds,
      })
      this.#volumeComplaint = ''
      const { refreshAt } = this.#volumes
      if (refreshAt !== undefined)
        setTimeout(() => this.#ending ?? this.refreshVolumes(), Math.min(Math.max(refreshAt - Date.now(), 1000), 2 ** 31 - 1)).unref()
      return true
    } catch (error) {
      const message = messageOf(error)
      if (message !== this.#volumeComplaint)
        this.#node.events.record({ object: this.#pod }, 'Warning', 'FailedMount', `MountVolume.SetUp failed: ${message}`)
      this.#volumeComplaint = message
      if (!this.#volumes) for (const run of [...this.#inits, ...this.#mains]) run.waitingFor('ContainerCreating')
      // Tokens and the like must be tried again even when the pod runs with what it has.
      else setTimeout(() => this.#ending ?? this.refreshVolumes(), RETRY_MS * 5).unref()
      return false
    }
  }

  /** Runs the init containers up to the first that is not done; true when all are. */
  async #initialize(): Promise<boolean> {
    for (const run of this.#inits) {
      if (run.role === 'sidecar') {
        if (!(await this.#keepRunning(run)) || (!this.#record.initialized && !run.started)) return this.#record.initialized
        continue
      }
      if (this.#record.initialized || run.succeeded) continue
      if (run.failed && podSpec(this.#pod).restartPolicy === 'Never') {
        this.#failure = undefined
        await this.#stopSidecars(graceOf(this.#pod))
        return false
      }
      if (!run.running) await this.#startWhenDue(run)
      return false
    }
    if (!this.#record.initialized) {
      this.#record.initialized = true
      for (const run of this.#mains) if (!run.running && run.record.attempt < 0) run.waitingFor('ContainerCreating')
    }
    return true
  }

  /** Starts the container if it should run and does not; false when the next one must wait for it. */
  async #keepRunning(run: ContainerRun): Promise<boolean> {
    if (run.running || run.stopping) return true
    const policy = run.role === 'sidecar' ? 'Always' : (podSpec(this.#pod).restartPolicy ?? 'Always')
    if (run.succeeded && policy !== 'Always') return true
    if (run.failed && policy === 'Never') return true
    if (run.role === 'sidecar' && this.#mainsDone()) return true
    await this.#startWhenDue(run)
    // Containers that come later do not wait for one that fails to start, as with the kubelet.
    return !this.#ending
  }

  async #startWhenDue(run: ContainerRun): Promise<void> {
    const { delay } = run
    if (delay > 0) {
      if (run.record.terminated) run.backOff()
      this.#lookIn(delay)
      return
    }
    if (!(await run.start())) this.#lookIn(Math.max(run.delay, 50))
    if (this.#ending || this.#abandoned) run.kill()
  }

  #mainsDone(): boolean {
    const phase: Phase = phaseOf(podSpec(this.#pod), {
      initialized: this.#record.initialized,
      initContainers: [],
      containers: this.#mains.map((run) => run.status()),
    })
    return phase === 'Succeeded' || phase === 'Failed'
  }

  #anyRunning(): boolean {
    return [...this.#inits, ...this.#mains].some((run) => run.running)
  }

  #deadlinePassed(): boolean {
    const { activeDeadlineSeconds } = podSpec(this.#pod)
    if (activeDeadlineSeconds === undefined) return false
    const left = Date.parse(this.#record.startTime) + activeDeadlineSeconds * 1000 - Date.now()
    if (left > 0) this.#lookIn(left)
    else this.#failure = { reason: 'DeadlineExceeded', message: 'Pod was active on the node longer than the specified deadline' }
    return left <= 0
  }

  async #fail(): Promise<void> {
    await this.#stopContainers(graceOf(this.#pod))
  }

  /**
   * The hooks of all run at once, so that a proxy begins to drain when the pod begins to end; SIGTERM comes only when the containers that
   * a sidecar serves have gone: the last started sidecar's first.
   */
  async #stopSidecars(grace: number, served: Promise<unknown> = Promise.resolve()): Promise<void> {
    const stopped: Promise<void>[] = []
    let turn = served
    for (const run of this.#inits.toReversed()) {
      if (run.role !== 'sidecar' || !run.running) continue
      const end = run.stop(grace, 'the pod has ended', turn)
      stopped.push(end)
      turn = Promise.all([turn, end])
    }
    await Promise.all(stopped)
  }

  async #stopContainers(grace: number): Promise<void> {
    const all = [...this.#mains, ...this.#inits]
    for (const run of all) {
      if (run.running)
        this.#node.events.record(
          { object: this.#pod, fieldPath: `spec.containers{${run.spec.name}}` },
          'Normal',
          'Killing',
          `Stopping container ${run.spec.name}`,
        )
      // Also those that are in the midst of a slower end.
      if (grace === 0) run.kill()
    }
    const served = Promise.all(all.filter((run) => run.role !== 'sidecar').map((run) => run.stop(grace, 'the pod was ended')))
    await Promise.all([served, this.#stopSidecars(grace, served)])
  }

  /** Containers hear of the end only when no new work comes to them: what they refuse then, nobody asked for. */
  async #delete(): Promise<void> {
    const grace = graceOf(this.#pod)
    if (grace > 0 && !this.#leaving && this.#anyRunning() && this.#record.address) {
      this.#leaving = this.#node.avoided(this.#record.address, Math.min(LONGEST_LEAVING_MS, grace))
    }
    await this.#leaving
    await this.#end(graceOf(this.#pod))
  }

  async #end(grace: number): Promise<void> {
    if (this.#ending && grace > 0) return this.#ending
    const earlier = this.#ending
    this.#ending = (async () => {
      await this.#stopContainers(grace)
      await earlier
      await this.#releaseSandbox()
      if (!this.#abandoned) await this.#removeFromApi()
      await this.#removeFiles()
      this.#onGone()
    })().catch((error: unknown) => log.warn(`pod ${this.#name} could not be ended: ${messageOf(error)}`))
    return this.#ending
  }

  async #releaseSandbox(): Promise<void> {
    if (!this.#sandboxReady && !this.#addresses.get(this.uid)) return
    this.#sandboxReady = false
    await removeSandbox(this.#directories.namespaces)
    this.#addresses.release(this.uid)
  }

  async #removeFiles(): Promise<void> {
    clearTimeout(this.#timer)
    for (const run of [...this.#mains, ...this.#inits]) run.close()
    for (const volume of podSpec(this.#pod).volumes ?? []) {
      if (volume.emptyDir?.medium === 'Memory')
        await runCommand('umount', ['-q', join(this.#directories.volumes, volume.name)]).catch(() => undefined)
    }
    this.#node.tokens.forget(this.uid)
    rmSync(this.#directories.layers, { recursive: true, force: true })
    rmSync(this.#directories.root, { recursive: true, force: true })
  }

  async #removeFromApi(): Promise<void> {
    await this.#report()
    const { name, namespace } = this.#pod.metadata
    for (;;) {
      try {
        await this.#node.client.delete(POD, namespace, name, { gracePeriodSeconds: 0, uid: this.uid })
        return
      } catch (error) {
        // A conflict: the name belongs to another pod by now.
        if (isNotFound(error) || isConflict(error) || this.#abandoned) return
        log.debug(`pod ${this.#name} could not be removed from the API: ${messageOf(error)}; trying again`)
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  status(): PodStatus {
    return podStatus(
      {
        pod: this.#pod,
        addresses: this.#sandboxReady || this.#ending ? this.#addressesNow() : [],
        hostAddress: this.#node.facts.hostAddress,
        startTime: this.#record.startTime,
        initialized: this.#record.initialized,
        initContainers: this.#inits.map((run) => run.status()),
        containers: this.#mains.map((run) => run.status()),
        ...(this.#failure ? { failure: this.#failure } : {}),
      },
      seconds(new Date()),
    )
  }

  /** Writes the status when it differs from what the API has; one write at a time, always the newest. */
  async #report(): Promise<void> {
    if (this.#sending || this.#abandoned || (isTerminal(this.#pod) && !this.#anyRunning() && this.#sent === '')) return
    this.#sending = true
    try {
      for (;;) {
        const status = inSeconds(this.status())
        const text = JSON.stringify({ ...status, conditions: status.conditions?.map(({ lastTransitionTime: _, ...rest }) => rest) })
        if (text === this.#sent) return
        const { name, namespace } = this.#pod.metadata
        const written = await this.#node.client.patch<Pod>(
          POD,
          namespace,
          name,
          { metadata: { uid: this.uid }, status },
          { type: 'application/merge-patch+json', subresource: 'status' },
        )
        if (written.metadata.uid === this.uid && Number(written.metadata.resourceVersion) > Number(this.#pod.metadata.resourceVersion))
          this.#pod = { ...this.#pod, status: written.status ?? {} }
        this.#sent = text
      }
    } catch (error) {
      if (isNotFound(error) || isConflict(error)) return
      log.debug(`the status of pod ${this.#name} could not be written: ${messageOf(error)}`)
      this.#lookIn(RETRY_MS)
    } finally {
      this.#sending = false
    }
  }

  #save(): void {
    if (this.#abandoned || this.#ending) return
    savePodRecord(this.#directories.record, this.#record)
  }

  get #name(): string {
    return `${this.#pod.metadata.namespace}/${this.#pod.metadata.name}`
  }

  #surroundings(): PodSurroundings {
    return {
      node: this.#node,
      pod: () => this.#pod,
      address: () => this.#record.address,
      sandbox: () => this.sandboxDirectory,
      volumes: () => this.#volumes ?? { sources: new Map() },
      podFiles: () => this.#podFiles,
      shm: join(this.#directories.layers, 'shm'),
      layers: this.#directories.layers,
      containers: this.#directories.containers,
      event: (container, type, reason, message) => {
        const init = this.#inits.some(({ spec }) => spec.name === container)
        this.#node.events.record(
          { object: this.#pod, fieldPath: `spec.${init ? 'initContainers' : 'containers'}{${container}}` },
          type,
          reason,
          message,
        )
      },
      changed: () => this.#changed(),
    }
  }
}

function newRecord(pod: Pod): PodRecord {
  const { uid = '', namespace = '', name } = pod.metadata
  return { uid, namespace, name, address: '', startTime: seconds(new Date()), initialized: false, containers: {} }
}

const seconds = (time: Date) => time.toISOString().replace(/\.\d+Z$/, 'Z')

/** Times in a status have whole seconds. */
function inSeconds(status: PodStatus): PodStatus {
  return JSON.parse(
    JSON.stringify(status, (key, value: unknown) =>
      typeof value === 'string' && (key === 'startedAt' || key === 'finishedAt') ? value.replace(/\.\d+Z$/, 'Z') : value,
    ),
  )
}
