/** The state of the mesh's CA, as the control plane keeps it in the cluster. */
import { randomBytes } from 'node:crypto'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { ROTATION_NAME, type RotationRecord, type RotationRequest, recordFromData } from '@lateen/ca'
import { isNotFound } from '@lateen/kube'
import type { Cluster } from '../../cluster/connect.ts'
import { CommandError } from '../../shell/exit-codes.ts'

/** @throws CommandError when there is none, as before the first start of a control plane or with a CA of Istio's */
export async function readRecord({ client, istioNamespace }: Cluster): Promise<RotationRecord> {
  let map: KubeObject
  try {
    map = await client.get(RESOURCE_TYPES.ConfigMap, istioNamespace, ROTATION_NAME)
  } catch (error) {
    if (!isNotFound(error)) throw error
    throw new CommandError(
      `there is no ConfigMap ${istioNamespace}/${ROTATION_NAME}: no control plane of this mesh has run as a CA in this namespace (--istioNamespace names another)`,
    )
  }
  return recordFromData(map.data)
}

/** Asks the control plane for something and waits for its answer. @throws CommandError when it refuses or does not answer in time */
export async function request(cluster: Cluster, action: RotationRequest['action'], signal: AbortSignal): Promise<string> {
  const { client, istioNamespace, timeoutMs } = cluster
  const id = randomBytes(6).toString('hex')
  const data = { request: JSON.stringify({ action, id } satisfies RotationRequest) }
  await client.patch(RESOURCE_TYPES.ConfigMap, istioNamespace, ROTATION_NAME, { data })
  const until = Date.now() + timeoutMs
  for (;;) {
    const { answer } = await readRecord(cluster)
    if (answer?.id === id) {
      if (answer.message.startsWith('refused')) throw new CommandError(answer.message)
      return answer.message
    }
    if (Date.now() > until) {
      throw new CommandError(
        `no control plane has answered within ${timeoutMs / 1000} s; it goes on with it once one runs: see "lateen ca status"`,
      )
    }
    await pause(300, signal)
  }
}

/** @throws the signal's reason */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(new CommandError('interrupted; the control plane goes on with it: see "lateen ca status"'))
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, milliseconds)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
