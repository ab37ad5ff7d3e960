/** The columns of pods, whose STATUS sums up all containers. */
import type { Column } from '../registry/kind.ts'
import { at, isObj, list, num, type Obj, obj, objs, str } from '../values.ts'
import { age, column, name, timeSince, wide } from './column-parts.ts'

interface Summary {
  readonly ready: string
  readonly status: string
  readonly restarts: string
}

const isSidecar = (container: Obj) => container['restartPolicy'] === 'Always'

/** What READY, STATUS and RESTARTS show. */
export function summarize(pod: Obj): Summary {
  const containers = objs(at(pod, 'spec', 'containers'))
  const initContainers = objs(at(pod, 'spec', 'initContainers'))
  const sidecars = new Set(initContainers.filter(isSidecar).map((c) => str(c['name'])))
  const total = containers.length + sidecars.size
  let restarts = 0
  let sidecarRestarts = 0
  let lastRestart = 0
  let ready = 0
  let status = str(at(pod, 'status', 'reason')) || str(at(pod, 'status', 'phase'))
  for (const condition of objs(at(pod, 'status', 'conditions'))) {
    if (condition['type'] === 'PodScheduled' && condition['reason'] === 'SchedulingGated') status = 'SchedulingGated'
  }
  const restartTime = (s: Obj) => {
    const time = Date.parse(str(at(s, 'lastState', 'terminated', 'finishedAt')))
    if (time > lastRestart) lastRestart = time
  }
  let initializing = false
  const initStatuses = objs(at(pod, 'status', 'initContainerStatuses'))
  for (const [i, s] of initStatuses.entries()) {
    restarts += num(s['restartCount'])
    restartTime(s)
    const sidecar = sidecars.has(str(s['name']))
    if (sidecar) sidecarRestarts += num(s['restartCount'])
    const terminated = at(s, 'state', 'terminated')
    if (isObj(terminated) && num(terminated['exitCode']) === 0) continue
    if (sidecar && s['started'] === true) {
      if (s['ready'] === true) ready++
      continue
    }
    const waiting = str(at(s, 'state', 'waiting', 'reason'))
    if (isObj(terminated))
      status = `Init:${str(terminated['reason']) || (num(terminated['signal']) ? `Signal:${num(terminated['signal'])}` : `ExitCode:${num(terminated['exitCode'])}`)}`
    else if (waiting !== '' && waiting !== 'PodInitializing') status = `Init:${waiting}`
    else status = `Init:${i}/${initContainers.length}`
    initializing = true
    break
  }
  const initialized = objs(at(pod, 'status', 'conditions')).some((c) => c['type'] === 'Initialized' && c['status'] === 'True')
  if (!initializing || initialized) {
    restarts = sidecarRestarts
    let running = false
    for (const s of objs(at(pod, 'status', 'containerStatuses')).reverse()) {
      restarts += num(s['restartCount'])
      restartTime(s)
      const waiting = str(at(s, 'state', 'waiting', 'reason'))
      const terminated = at(s, 'state', 'terminated')
      if (waiting !== '') status = waiting
      else if (isObj(terminated))
        status =
          str(terminated['reason']) ||
          (num(terminated['signal']) ? `Signal:${num(terminated['signal'])}` : `ExitCode:${num(terminated['exitCode'])}`)
      else if (s['ready'] === true && isObj(at(s, 'state', 'running'))) {
        running = true
        ready++
      }
    }
    if (status === 'Completed' && running) {
      const isReady = objs(at(pod, 'status', 'conditions')).some((c) => c['type'] === 'Ready' && c['status'] === 'True')
      status = isReady ? 'Running' : 'NotReady'
    }
  }
  if (at(pod, 'metadata', 'deletionTimestamp') !== undefined) {
    if (at(pod, 'status', 'reason') === 'NodeLost') status = 'Unknown'
    else if (!['Succeeded', 'Failed'].includes(str(at(pod, 'status', 'phase')))) status = 'Terminating'
  }
  const ago = restarts > 0 && lastRestart > 0 ? ` (${timeSince(Date.now() - lastRestart)} ago)` : ''
  return { ready: `${ready}/${total}`, status, restarts: `${restarts}${ago}` }
}

export const podColumns: readonly Column[] = [
  name,
  column('Ready', (o) => summarize(o).ready),
  column('Status', (o) => summarize(o).status),
  column('Restarts', (o) => summarize(o).restarts),
  age,
  wide('IP', (o) => str(objs(at(o, 'status', 'podIPs'))[0]?.['ip']) || str(at(o, 'status', 'podIP')) || '<none>'),
  wide('Node', (o) => str(at(o, 'spec', 'nodeName')) || '<none>'),
  wide('Nominated Node', (o) => str(at(o, 'status', 'nominatedNodeName')) || '<none>'),
  wide('Readiness Gates', (o) => {
    const gates = objs(at(o, 'spec', 'readinessGates'))
    if (gates.length === 0) return '<none>'
    const conditions = list(at(o, 'status', 'conditions')).map(obj)
    const met = gates.filter((g) => conditions.some((c) => c['type'] === g['conditionType'] && c['status'] === 'True'))
    return `${met.length}/${gates.length}`
  }),
]
