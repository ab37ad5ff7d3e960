/** The status of a pod, worked out from its containers. Pure. */
import type { ContainerStatus, Pod, PodCondition, PodSpec, PodStatus } from '../kube/pod.ts'
import { isSidecar, podSpec } from '../kube/pod.ts'

export interface PodFacts {
  readonly pod: Pod
  /** IPv4 first; none before the pod has a network. */
  readonly addresses: readonly string[]
  readonly hostAddress: string
  readonly startTime: string
  readonly initialized: boolean
  readonly initContainers: readonly ContainerStatus[]
  readonly containers: readonly ContainerStatus[]
  /** Set when the pod as a whole has failed (deadline, init container). */
  readonly failure?: { readonly reason: string; readonly message: string }
}

export type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed'

export function podStatus(facts: PodFacts, now: string): PodStatus {
  const { pod, addresses, hostAddress, startTime, initContainers, containers, failure } = facts
  const spec = podSpec(pod)
  const phase = failure ? 'Failed' : phaseOf(spec, facts)
  return {
    phase,
    ...(failure ? { reason: failure.reason, message: failure.message } : {}),
    conditions: conditions(facts, phase, now),
    hostIP: hostAddress,
    ...(addresses[0] ? { podIP: addresses[0], podIPs: addresses.map((ip) => ({ ip })) } : {}),
    startTime,
    ...(initContainers.length > 0 ? { initContainerStatuses: initContainers } : {}),
    containerStatuses: containers,
    qosClass: qosClass(spec),
  }
}

export function phaseOf(spec: PodSpec, facts: Pick<PodFacts, 'initialized' | 'initContainers' | 'containers'>): Phase {
  const { restartPolicy = 'Always' } = spec
  if (!facts.initialized) {
    const failed = facts.initContainers.some(({ state }) => state.terminated && state.terminated.exitCode !== 0)
    return failed && restartPolicy === 'Never' ? 'Failed' : 'Pending'
  }
  const { containers } = facts
  if (containers.some(({ state, restartCount, lastState }) => state.waiting && restartCount === 0 && !lastState.terminated))
    return 'Pending'
  if (containers.some(({ state }) => state.running || state.waiting)) return 'Running'
  if (restartPolicy === 'Always') return 'Running'
  if (containers.every(({ state }) => state.terminated?.exitCode === 0)) return 'Succeeded'
  return restartPolicy === 'Never' ? 'Failed' : 'Running'
}

function conditions(facts: PodFacts, phase: Phase, now: string): PodCondition[] {
  const { pod, initContainers, containers, initialized } = facts
  const spec = podSpec(pod)
  const done = phase === 'Succeeded' ? { reason: 'PodCompleted' } : phase === 'Failed' ? { reason: 'PodFailed' } : undefined
  const unready = [
    ...initContainers.filter(({ name }) => spec.initContainers?.some((c) => c.name === name && isSidecar(c))),
    ...containers,
  ].filter(({ ready }) => !ready)
  const containersReady = !done && initialized && unready.length === 0
  const unreadyWords = {
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.map(({ name }) => name).join(' ')}]`,
  }
  const others = pod.status?.conditions ?? []
  const gates = (spec.readinessGates ?? []).filter(
    ({ conditionType }) => !others.some((c) => c.type === conditionType && c.status === 'True'),
  )
  const ready = containersReady && gates.length === 0
  const gateWords = {
    reason: 'ReadinessGatesNotReady',
    message: `the status of pod readiness gate "${gates[0]?.conditionType}" is not "True"`,
  }
  const incomplete = initContainers
    .filter(({ state, started, ready: passed }) => !state.terminated && !(started && passed))
    .map(({ name }) => name)
  const own = [
    condition('PodReadyToStartContainers', !done && facts.addresses.length > 0),
    condition(
      'Initialized',
      initialized || phase === 'Succeeded',
      { reason: 'ContainersNotInitialized', message: `containers with incomplete status: [${incomplete.join(' ')}]` },
      done,
    ),
    condition('Ready', ready, containersReady ? gateWords : unreadyWords, done),
    condition('ContainersReady', containersReady, unreadyWords, done),
    condition('PodScheduled', true),
  ]
  const types = new Set(own.map(({ type }) => type))
  return [...own.map((next) => withTransition(next, others, now)), ...others.filter(({ type }) => !types.has(type))]
}

interface Words {
  readonly reason: string
  readonly message?: string
}

function condition(type: string, holds: boolean, otherwise?: Words, done?: Words): PodCondition {
  if (holds) return { type, status: 'True', ...(done && type === 'Initialized' ? done : {}) }
  return { type, status: 'False', ...(done ?? otherwise ?? {}) }
}

/** A condition keeps the time at which it last changed. */
function withTransition(next: PodCondition, known: readonly PodCondition[], now: string): PodCondition {
  const before = known.find(({ type }) => type === next.type)
  return { ...next, lastProbeTime: null, lastTransitionTime: before?.status === next.status ? (before.lastTransitionTime ?? now) : now }
}

function qosClass(spec: PodSpec): string {
  const all = [...spec.containers, ...(spec.initContainers ?? [])].map(({ resources }) => resources ?? {})
  const has = (values: object | undefined) => Object.keys(values ?? {}).length > 0
  if (!all.some(({ limits, requests }) => has(limits) || has(requests))) return 'BestEffort'
  const guaranteed = all.every(({ limits = {}, requests = limits }) =>
    ['cpu', 'memory'].every((name) => limits[name] !== undefined && limits[name] === requests[name]),
  )
  return guaranteed ? 'Guaranteed' : 'Burstable'
}
