/** Waiting until a waypoint runs. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import type { KubeClient } from '@lateen/kube'
import { CommandError } from '../../shell/exit-codes.ts'
import { isProgrammed, programmedOf } from './gateway.ts'

const EVERY_MS = 500

/** @throws CommandError when it is not ready in time; the message has the last that is known of it */
export async function waitUntilProgrammed(
  client: KubeClient,
  namespace: string,
  name: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<KubeObject> {
  const until = Date.now() + timeoutMs
  for (;;) {
    const gateway = await client.get(RESOURCE_TYPES.KubernetesGateway, namespace, name)
    if (isProgrammed(gateway)) return gateway
    if (Date.now() >= until || signal.aborted) {
      const { type, status, reason, message } = programmedOf(gateway) ?? { type: 'no status', status: '', reason: '', message: '' }
      const last = [type, status, reason, message].filter((word) => word !== '').join(' ')
      throw new CommandError(`waypoint ${namespace}/${name} is not ready after ${timeoutMs / 1000} s: ${last}`)
    }
    await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined)
  }
}
