/**
 * One container of one pod through all its starts: waiting, running, ended, started again.
 *
 * Enters: orders to start and stop. Leaves: the container's status, and a notice to the pod whenever something changed.
 */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Image, ImageFileError, UnknownImage } from '../images/catalogue.ts'
import { messageOf } from '../kube/api-failure.ts'
import { type Container, type ContainerState, type ContainerStatus, type Handler, isSidecar, type Pod, podSpec } from '../kube/pod.ts'
import { containerMounts, type PodVolumes } from '../volumes/pod-volumes.ts'
import { ContainerLog, tailOf } from './container-log.ts'
import { ContainerProcess, type Exit } from './container-process.ts'
import type { ContainerRecord } from './container-record.ts'
import { ConfigMissing, environmentOf, expand } from './environment.ts'
import type { EventType } from './event-recorder.ts'
import { type ExecTarget, execCaptured } from './exec.ts'
import type { NodeContext } from './node-context.ts'
import { hostnameOf } from './pod-files.ts'
import { check, ProbeRunner, type ProbeTarget } from './probe-runner.ts'
import { buildRoot, type Mount } from './root-builder.ts'
import { credentialsOf } from './security.ts'

export type ContainerRole = 'init' | 'sidecar' | 'main'

/** What a container needs of its pod. */
export interface PodSurroundings {
  readonly node: NodeContext
  readonly pod: () => Pod
  readonly address: () => string
  /** Namespace files, or `undefined` on the node's network. */
  readonly sandbox: () => string | undefined
  readonly volumes: () => PodVolumes
  readonly podFiles: () => readonly Mount[]
  readonly shm: string
  readonly layers: string
  readonly containers: string
  readonly event: (container: string, type: EventType, reason: string, message: string) => void
  /** Something about the container changed: save and look again. */
  readonly changed: () => void
}

const FIRST_BACK_OFF = 10_000
const LONGEST_BACK_OFF = 300_000
const FORGET_BACK_OFF = 600_000
const MESSAGE_BYTES = 2048
const HOOK_TIMEOUT = 10 * 60_000
const SHORTEST_GRACE_MS = 2_000
const DEFAULT_MESSAGE_PATH = '/dev/termination-log'

export class ContainerRun {
  readonly spec: Container
  readonly role: ContainerRole
  readonly record: ContainerRecord
  readonly #around: PodSurroundings
  readonly #directory: string
  #process: ContainerProcess | undefined
  #log: ContainerLog | undefined
  #previousLog: ContainerLog | undefined
  #waiting: NonNullable<ContainerState['waiting']> = { reason: 'PodInitializing' }
  #probes: ProbeRunner[] = []
  #backOff = 0
  #notBefore = 0
  #imageBackOff = 0
  #stopping: Promise<void> | undefined
  #killReason = ''

  constructor(spec: Container, role: ContainerRole, record: ContainerRecord, around: PodSurroundings) {
    this.spec = spec
    this.role = role
    this.record = record
    this.#around = around
    this.#directory = join(around.containers, spec.name)
    mkdirSync(this.#directory, { recursive: true })
    if (role !== 'init') this.#waiting = { reason: 'PodInitializing' }
  }

  get running(): boolean {
    return this.#process !== undefined
  }

  get stopping(): boolean {
    return this.#stopping !== undefined
  }

  /** Running, and its startup probe (if any) has passed. */
  get started(): boolean {
    return this.running && this.record.started
  }

  get ready(): boolean {
    return this.running && this.record.ready
  }

  /** Ended for good with success; what an ordinary init container must become. */
  get succeeded(): boolean {
    return !this.running && this.record.terminated?.exitCode === 0
  }

  get failed(): boolean {
    return !this.running && this.record.terminated !== undefined && this.record.terminated.exitCode !== 0
  }

  get log(): ContainerLog | undefined {
    return this.#log
  }

  get previousLog(): ContainerLog | undefined {
    return this.#previousLog
  }

  /** Milliseconds until it may be started (again). */
  get delay(): number {
    return Math.max(0, this.#notBefore - Date.now())
  }

  get pid(): number | undefined {
    return this.#process?.mainPid
  }

  /** Takes over what an earlier life of this program started; a process that is gone counts as ended. */
  adopt(): void {
    const { shim, attempt } = this.record
    if (attempt >= 0) this.#log = new ContainerLog(this.#file(attempt, 'log'))
    if (attempt >= 1) this.#previousLog = new ContainerLog(this.#file(attempt - 1, 'log'))
    this.#previousLog?.end()
    if (!shim || this.record.terminated) {
      this.#log?.end()
      return
    }
    this.#process = ContainerProcess.adopt(shim, this.#file(attempt, 'exit'))
    this.#watchEnd(this.#process)
    this.#startProbes()
  }

  /** The sandbox is gone, and with it the process. */
  markLost(): void {
    if (!this.record.shim || this.record.terminated) return
    this.#process = undefined
    this.#ended({ code: 137, signal: 9 }, 'ContainerStatusUnknown', 'The container was lost with its node; it is started again')
  }

  /** Forgets the last end, so that an init container runs once more. */
  reset(): void {
    if (this.record.terminated) this.record.last = this.record.terminated
    delete this.record.terminated
  }

  waitingFor(reason: string, message?: string): void {
    if (this.#waiting.reason === reason && this.#waiting.message === message) return
    this.#waiting = message === undefined ? { reason } : { reason, message }
    this.#around.changed()
  }

  /**
   * Starts the container, and runs its postStart hook to the end. False when it could not be started; its status then says why, and
   * `delay` when to try again.
   */
  async start(): Promise<boolean> {
    try {
      const image = this.#image()
      await this.#launch(image)
      this.#imageBackOff = 0
    } catch (error) {
      this.#cannotStart(error)
      return false
    }
    this.#around.event(this.spec.name, 'Normal', 'Started', `Started container ${this.spec.name}`)
    this.#around.changed()
    const { postStart } = this.spec.lifecycle ?? {}
    if (postStart && !(await this.#postStart(postStart))) return false
    this.#startProbes()
    return true
  }

  /**
   * Ends the container: preStop hook, SIGTERM, and SIGKILL when `grace` milliseconds are over.
   *
   * @param turn SIGTERM waits for it, as long as `grace` lasts; hooks do not
   */
  stop(grace: number, reason: string, turn?: Promise<unknown>): Promise<void> {
    this.#stopping ??= this.#stop(grace, reason, turn).finally(() => {
      this.#stopping = undefined
    })
    return this.#stopping
  }

  kill(): void {
    this.#stopProbes()
    this.#process?.kill()
  }

  /** Stops watching; the process goes on. */
  detach(): void {
    this.#stopProbes()
    this.#process = undefined
  }

  /** Lets go of the log files, so that they can be removed. */
  close(): void {
    this.#stopProbes()
    this.#log?.end()
    this.#previousLog?.end()
  }

  /** Resolves when it does not run (any more). */
  async ended(): Promise<void> {
    await this.#process?.exited
  }

  execTarget(): ExecTarget | undefined {
    const pid = this.pid
    if (pid === undefined) return undefined
    const image = this.#imageOrNone()
    return {
      pid,
      credentials: credentialsOf(this.#around.pod(), this.spec, image, this.#around.node.manyIds),
      env: this.record.env ?? {},
      workingDirectory: this.spec.workingDir ?? image.workingDir,
      manyIds: this.#around.node.manyIds,
    }
  }

  status(): ContainerStatus {
    const image = this.spec.image ?? ''
    const uid = this.#around.pod().metadata.uid ?? ''
    return {
      name: this.spec.name,
      image,
      imageID: this.record.imageName ? `lateen://${this.record.imageName}` : '',
      ...(this.record.attempt >= 0 ? { containerID: `lateen://${uid}/${this.spec.name}/${this.record.attempt}` } : {}),
      ready: this.role === 'init' ? this.succeeded : this.ready,
      started: this.role === 'init' ? this.running : this.started,
      restartCount: this.record.restartCount,
      state: this.#state(),
      lastState: this.record.last ? { terminated: this.record.last } : {},
    }
  }

  #state(): ContainerState {
    if (this.running) return { running: { startedAt: this.record.startedAt ?? new Date().toISOString() } }
    if (this.record.terminated) return { terminated: this.record.terminated }
    return { waiting: this.#waiting }
  }

  #image(): Image {
    return this.#around.node.catalogue.resolve(this.spec.image ?? '')
  }

  #imageOrNone(): Image {
    try {
      return this.#image()
    } catch {
      return { name: '', entrypoint: [], cmd: [], env: {}, workingDir: '/' }
    }
  }

  async #launch(image: Image): Promise<void> {
    const pod = this.#around.pod()
    const { node } = this.#around
    const env = environmentOf({
      pod,
      container: this.spec,
      image,
      hostname: hostnameOf(pod),
      address: this.#around.address(),
      node: node.facts,
      source: node.source,
    })
    const command = commandOf(this.spec, image, env)
    const credentials = credentialsOf(pod, this.spec, image, node.manyIds)
    const attempt = this.record.attempt + 1
    const layer = join(this.#around.layers, this.spec.name)
    const setup = buildRoot({
      layer,
      plan: node.rootPlan,
      mounts: [
        ...node.programMounts,
        ...this.#around.podFiles(),
        this.#messageMount(),
        ...containerMounts(this.spec, this.#around.volumes(), env),
      ],
      dev: node.dev,
      shm: this.#around.shm,
      rootless: node.rootless,
      readOnlyRoot: this.spec.securityContext?.readOnlyRootFilesystem ?? false,
      workingDirectory: this.spec.workingDir ?? image.workingDir,
    })
    this.#turnLogs(attempt)
    this.record.imageName = image.name
    this.#around.event(this.spec.name, 'Normal', 'Created', `Created container ${this.spec.name}`)
    const process = await ContainerProcess.start({
      sandbox: this.#around.sandbox(),
      setup,
      setupFile: join(this.#directory, 'setup.sh'),
      logFile: this.#file(attempt, 'log'),
      exitFile: this.#file(attempt, 'exit'),
      credentials,
      env,
      command,
      manyIds: node.manyIds,
    })
    this.#begin(process, attempt, env)
  }

  get #messageFile(): string {
    return join(this.#directory, 'termination-message')
  }

  #messageMount(): Mount {
    writeFileSync(this.#messageFile, '')
    chmodSync(this.#messageFile, 0o666)
    return {
      source: this.#messageFile,
      target: this.spec.terminationMessagePath ?? DEFAULT_MESSAGE_PATH,
      directory: false,
      readOnly: false,
    }
  }

  #begin(process: ContainerProcess, attempt: number, env: Record<string, string>): void {
    const { record } = this
    if (record.terminated) record.last = record.terminated
    if (record.attempt >= 0) record.restartCount++
    delete record.terminated
    record.attempt = attempt
    record.shim = process.shim
    record.startedAt = new Date().toISOString()
    record.started = this.spec.startupProbe === undefined
    record.ready = false
    record.env = env
    this.#process = process
    this.#watchEnd(process)
  }

  /** Keeps the log of the start before the new one, for `logs --previous`. */
  #turnLogs(attempt: number): void {
    this.#previousLog?.remove()
    this.#previousLog = attempt > 0 ? this.#log : undefined
    this.#log?.end()
    rmSync(this.#file(attempt - 2, 'exit'), { force: true })
    this.#log = new ContainerLog(this.#file(attempt, 'log'))
  }

  #cannotStart(error: unknown): void {
    const message = messageOf(error)
    if (error instanceof UnknownImage || error instanceof ImageFileError) {
      this.#imageBackOff = Math.min(LONGEST_BACK_OFF, this.#imageBackOff === 0 ? FIRST_BACK_OFF : this.#imageBackOff * 2)
      // The catalogue is a local file: looking again soon costs nothing and lets a new entry work at once.
      this.#notBefore = Date.now() + 2_000
      const reason =
        this.#waiting.reason === 'ErrImagePull' || this.#waiting.reason === 'ImagePullBackOff' ? 'ImagePullBackOff' : 'ErrImagePull'
      if (reason === 'ErrImagePull')
        this.#around.event(this.spec.name, 'Warning', 'Failed', `Failed to pull image "${this.spec.image ?? ''}": ${message}`)
      this.waitingFor(reason, message)
      return
    }
    this.#notBefore = Date.now() + (error instanceof ConfigMissing ? 1_000 : 5_000)
    const reason = error instanceof ConfigMissing ? 'CreateContainerConfigError' : 'CreateContainerError'
    const detail = error instanceof ConfigMissing ? message : `${message}${this.#log ? `: ${this.#log.tail(512).trim()}` : ''}`
    this.#around.event(this.spec.name, 'Warning', 'Failed', `Error: ${detail}`)
    this.waitingFor(reason, detail)
  }

  #watchEnd(process: ContainerProcess): void {
    void process.exited.then((exit) => {
      if (this.#process !== process) return
      this.#process = undefined
      this.#ended(exit, exit.code === 0 ? 'Completed' : 'Error')
    })
  }

  #ended(exit: Exit, reason: string, message?: string): void {
    const { record } = this
    this.#stopProbes()
    this.#log?.end()
    const now = new Date()
    const uid = this.#around.pod().metadata.uid ?? ''
    const said = message ?? this.#terminationMessage(exit)
    record.terminated = {
      exitCode: exit.code,
      reason,
      ...(exit.signal === undefined ? {} : { signal: exit.signal }),
      ...(said ? { message: said } : {}),
      startedAt: record.startedAt ?? now.toISOString(),
      finishedAt: now.toISOString(),
      containerID: `lateen://${uid}/${this.spec.name}/${record.attempt}`,
    }
    record.ready = false
    record.started = false
    this.#nextBackOff(now.getTime() - Date.parse(record.startedAt ?? now.toISOString()))
    rmSync(join(this.#around.layers, this.spec.name), { recursive: true, force: true })
    this.#around.changed()
  }

  /** The first restart is at once; each further one waits twice as long, until the container has lived for a while. */
  #nextBackOff(lived: number): void {
    if (lived > FORGET_BACK_OFF) this.#backOff = 0
    this.#notBefore = Date.now() + this.#backOff
    this.#backOff = this.#backOff === 0 ? FIRST_BACK_OFF : Math.min(LONGEST_BACK_OFF, this.#backOff * 2)
  }

  /** Puts the container into CrashLoopBackOff until it may start; the status moves its end to the last state. */
  backOff(): void {
    const { record } = this
    if (record.terminated) {
      record.last = record.terminated
      delete record.terminated
    }
    const pod = this.#around.pod().metadata
    const message = `back-off ${Math.ceil(this.#backOffShown / 1000)}s restarting failed container=${this.spec.name} pod=${pod.name}_${pod.namespace}(${pod.uid})`
    if (this.#waiting.reason !== 'CrashLoopBackOff' || this.#waiting.message !== message) {
      this.#around.event(
        this.spec.name,
        'Warning',
        'BackOff',
        `Back-off restarting failed container ${this.spec.name} in pod ${pod.name}_${pod.namespace}(${pod.uid})`,
      )
    }
    this.waitingFor('CrashLoopBackOff', message)
  }

  get #backOffShown(): number {
    return Math.max(FIRST_BACK_OFF, this.#backOff === LONGEST_BACK_OFF ? LONGEST_BACK_OFF : this.#backOff / 2)
  }

  #terminationMessage(exit: Exit): string {
    const written = tailOf(this.#messageFile, MESSAGE_BYTES)
    if (written) return written
    if (exit.code === 0) return ''
    return (
      this.#killReason ||
      (this.spec.terminationMessagePolicy === 'FallbackToLogsOnError' || exit.code === 127 || exit.code === 126
        ? (this.#log?.tail(MESSAGE_BYTES) ?? '')
        : '')
    )
  }

  async #postStart(hook: Handler): Promise<boolean> {
    const result = await this.#hook(hook, HOOK_TIMEOUT)
    if (result.ok || !this.running) return this.running
    this.#around.event(this.spec.name, 'Warning', 'FailedPostStartHook', `PostStartHook failed: ${result.message}`)
    await this.stop(graceOf(this.#around.pod()), 'FailedPostStartHook')
    return false
  }

  async #hook(hook: Handler, timeout: number): Promise<{ ok: boolean; message: string }> {
    if (hook.sleep) {
      const { seconds } = hook.sleep
      await Promise.race([new Promise((resolve) => setTimeout(resolve, Math.min(seconds * 1000, timeout)).unref()), this.ended()])
      return { ok: true, message: '' }
    }
    return Promise.race([
      check(hook, this.#target(), timeout),
      this.ended().then(() => ({ ok: false, message: 'the container ended' })),
    ]).catch((error: unknown) => ({
      ok: false,
      message: messageOf(error),
    }))
  }

  #target(): ProbeTarget {
    return {
      container: this.spec,
      address: this.#around.address(),
      exec: async (command, timeout) => {
        const target = this.execTarget()
        if (!target) return { exitCode: 1, output: 'the container does not run', timedOut: false }
        return execCaptured(target, command, timeout)
      },
    }
  }

  #startProbes(): void {
    if (!this.running) return
    this.#stopProbes()
    const { startupProbe, readinessProbe } = this.spec
    const elapsed = Date.now() - Date.parse(this.record.startedAt ?? new Date().toISOString())
    if (startupProbe && !this.record.started) {
      this.#probe(startupProbe, 'Startup', elapsed, (ok, message) => {
        if (!ok) return this.#unhealthy(`Container ${this.spec.name} failed startup probe`, message)
        this.record.started = true
        this.#startProbes()
        this.#around.changed()
      })
      return
    }
    if (!readinessProbe && !this.record.ready && isContinuous(this.spec, this.role)) {
      this.record.ready = true
      this.#around.changed()
    }
    if (readinessProbe) {
      this.#probe(readinessProbe, 'Readiness', elapsed, (ok) => {
        if (this.record.ready === ok) return
        this.record.ready = ok
        this.#around.changed()
      })
    }
    const { livenessProbe } = this.spec
    if (livenessProbe) {
      this.#probe(livenessProbe, 'Liveness', elapsed, (ok, message) => {
        if (!ok) this.#unhealthy(`Container ${this.spec.name} failed liveness probe, will be restarted`, message)
      })
    }
  }

  #probe(
    probe: NonNullable<Container['livenessProbe']>,
    name: string,
    elapsed: number,
    outcome: (ok: boolean, message: string) => void,
  ): void {
    const failure = (message: string) => this.#around.event(this.spec.name, 'Warning', 'Unhealthy', `${name} probe failed: ${message}`)
    this.#probes.push(new ProbeRunner(probe, this.#target(), { outcome, failure }, elapsed))
  }

  #unhealthy(event: string, message: string): void {
    this.#stopProbes()
    this.#around.event(this.spec.name, 'Normal', 'Killing', event)
    const probe = this.spec.livenessProbe ?? this.spec.startupProbe
    void this.stop((probe?.terminationGracePeriodSeconds ?? graceOf(this.#around.pod()) / 1000) * 1000, `${event}: ${message}`)
  }

  #stopProbes(): void {
    for (const probe of this.#probes.splice(0)) probe.stop()
  }

  async #stop(grace: number, reason: string, turn?: Promise<unknown>): Promise<void> {
    const process = this.#process
    if (!process) return
    this.#killReason = reason
    const end = Date.now() + grace
    this.#stopProbes()
    const { preStop } = this.spec.lifecycle ?? {}
    if (preStop && grace > 0) {
      const result = await this.#hook(preStop, grace)
      if (!result.ok && this.running)
        this.#around.event(this.spec.name, 'Warning', 'FailedPreStopHook', `PreStopHook failed: ${result.message}`)
    }
    if (turn) await within(end - Date.now(), Promise.race([turn, process.exited]))
    // However late it is, a container gets a moment between SIGTERM and SIGKILL.
    const left = grace === 0 ? 1 : Math.max(SHORTEST_GRACE_MS, end - Date.now())
    const deadline = setTimeout(() => process.kill(), left)
    process.terminate()
    await process.exited
    clearTimeout(deadline)
    this.#killReason = ''
  }

  #file(attempt: number, suffix: string): string {
    return join(this.#directory, `${attempt}.${suffix}`)
  }
}

/** Resolves with `promise`, at the latest after so many milliseconds. */
async function within(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([promise, new Promise((resolve) => (timer = setTimeout(resolve, Math.max(0, milliseconds))))])
  clearTimeout(timer)
}

/** In milliseconds. */
export function graceOf(pod: Pod): number {
  return (pod.metadata.deletionGracePeriodSeconds ?? podSpec(pod).terminationGracePeriodSeconds ?? 30) * 1000
}

function isContinuous(spec: Container, role: ContainerRole): boolean {
  return role === 'main' || isSidecar(spec)
}

function commandOf(spec: Container, image: Image, env: Readonly<Record<string, string>>): string[] {
  const own = (words: readonly string[]) => words.map((word) => expand(word, env))
  // As in Kubernetes: a command without args also drops the image's own arguments.
  const entrypoint = spec.command?.length ? own(spec.command) : [...image.entrypoint]
  const args = spec.args?.length ? own(spec.args) : spec.command?.length ? [] : [...image.cmd]
  const command = [...entrypoint, ...args]
  if (command.length === 0)
    throw new ConfigMissing(
      `no command specified for container ${spec.name}; give it a command, or the image an entrypoint in the catalogue`,
    )
  return command
}
