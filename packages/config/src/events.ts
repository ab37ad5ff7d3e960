/** Kubernetes Events about an object. */
import { createHash } from 'node:crypto'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { ApiError, isConflict, type KubeClient } from '@lateen/kube'

export interface EventText {
  readonly type: 'Normal' | 'Warning'
  /** One word in CamelCase. */
  readonly reason: string
  readonly message: string
  /** The program that says it. */
  readonly component: string
}

const MAX_MESSAGE = 1_024

/**
 * Records an Event. The same text about the same object is one Event, whose count grows, so that a repeated complaint does not
 * fill the namespace.
 */
export async function createEvent(client: KubeClient, object: KubeObject, text: EventText): Promise<void> {
  const namespace = object.metadata.namespace ?? 'default'
  const message = text.message.slice(0, MAX_MESSAGE)
  const hash = createHash('sha256')
    .update(`${object.metadata.uid ?? ''} ${text.reason} ${message}`)
    .digest('hex')
    .slice(0, 16)
  const name = `${object.metadata.name.slice(0, 200)}.${hash}`
  const now = `${new Date().toISOString().slice(0, 19)}Z`
  const event: KubeObject = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace },
    involvedObject: {
      apiVersion: object.apiVersion,
      kind: object.kind,
      name: object.metadata.name,
      ...(object.metadata.namespace ? { namespace: object.metadata.namespace } : {}),
      ...(object.metadata.uid ? { uid: object.metadata.uid } : {}),
    },
    type: text.type,
    reason: text.reason,
    message,
    source: { component: text.component },
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  }
  try {
    await client.create(RESOURCE_TYPES.Event, event)
  } catch (error) {
    if (!isConflict(error)) throw error
    await again(client, namespace, name, now)
  }
}

async function again(client: KubeClient, namespace: string, name: string, now: string): Promise<void> {
  try {
    const known = await client.get(RESOURCE_TYPES.Event, namespace, name)
    const count = typeof known.count === 'number' ? known.count + 1 : 2
    await client.patch(RESOURCE_TYPES.Event, namespace, name, { count, lastTimestamp: now })
  } catch (error) {
    // It expired, or someone else counted it: nothing is lost that matters.
    if (!(error instanceof ApiError)) throw error
  }
}
