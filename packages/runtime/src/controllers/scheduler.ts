/** Places pods on the one node. */
import { isConflict, isNotFound } from '../kube/api-failure.ts'
import { POD } from '../kube/kinds.ts'
import { isTerminal, type Pod, type PodSpec, podSpec } from '../kube/pod.ts'
import { EventRecorder } from '../node/event-recorder.ts'
import { WorkQueue } from '../work-queue.ts'
import { type Controller, type ControllerContext, now } from './context.ts'
import { nodeLabels } from './node-object.ts'

export function scheduler(context: ControllerContext): Controller {
  const { pods } = context.stores
  const { client, node } = context
  const events = new EventRecorder(client, 'default-scheduler', node.name)
  const queue = new WorkQueue({ name: 'scheduling', reconcile, concurrency: 16 })
  pods.listen((key, pod) => {
    if (pod && isWaiting(pod)) queue.add(key)
  })
  return { stop: () => queue.stop() }

  async function reconcile(key: string): Promise<undefined> {
    const pod = pods.byKey(key)
    if (!pod || !isWaiting(pod)) return undefined
    if (!fitsNode(podSpec(pod), node.name)) return refuse(pod)
    const { name, namespace = '', uid } = pod.metadata
    try {
      await client.request('POST', `/api/v1/namespaces/${namespace}/pods/${name}/binding`, {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, ...(uid ? { uid } : {}) },
        target: { apiVersion: 'v1', kind: 'Node', name: node.name },
      })
    } catch (error) {
      // Deleted or placed meanwhile.
      if (isNotFound(error) || isConflict(error)) return undefined
      throw error
    }
    events.record({ object: pod }, 'Normal', 'Scheduled', `Successfully assigned ${key} to ${node.name}`)
    return undefined
  }

  async function refuse(pod: Pod): Promise<undefined> {
    const message = `0/1 nodes are available: 1 node(s) didn't match Pod's node selector. Remove spec.nodeSelector, or label the node ${node.name}.`
    const known = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')
    if (known?.message === message) return undefined
    events.record({ object: pod }, 'Warning', 'FailedScheduling', message)
    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime: now() }]
    await client.patch(
      POD,
      pod.metadata.namespace,
      pod.metadata.name,
      { status: { phase: 'Pending', conditions } },
      { type: 'application/merge-patch+json', subresource: 'status' },
    )
    return undefined
  }
}

function isWaiting(pod: Pod): boolean {
  const spec = podSpec(pod)
  return !spec.nodeName && (spec.schedulingGates ?? []).length === 0 && !pod.metadata.deletionTimestamp && !isTerminal(pod)
}

/** Whether the node has every label of the selector. */
export function fitsNode(spec: PodSpec, nodeName: string): boolean {
  const labels = nodeLabels(nodeName)
  return Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)
}
