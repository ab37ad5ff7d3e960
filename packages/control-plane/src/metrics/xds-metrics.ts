/** What is sent to proxies, and what they say to it. */
import { TYPE_URL } from '@lateen/envoy'
import type { XdsObserver } from '@lateen/xds'
import { type Instruments, SECONDS } from './instruments.ts'

const BYTES = [1, 10_000, 1_000_000, 4_000_000, 10_000_000, 40_000_000]

/** The short names that metrics and tables use for types; others by the last part of their URL. */
const TYPE_NAMES = new Map<string, string>(Object.entries(TYPE_URL).map(([short, url]) => [url, short.toLowerCase()]))

export function typeName(typeUrl: string): string {
  return TYPE_NAMES.get(typeUrl) ?? typeUrl.slice(typeUrl.lastIndexOf('.') + 1)
}

export function createXdsMetrics({ counter, gauge, histogram }: Instruments): XdsObserver {
  const pushes = counter('pilot_xds_pushes', 'Responses sent, by type', 'type')
  const sizes = histogram('pilot_xds_config_size_bytes', 'Size of responses', BYTES, 'type')
  const pushTime = histogram('pilot_xds_push_time', 'Seconds from sending a response to its acknowledgement', SECONDS, 'type')
  const convergence = histogram('pilot_proxy_convergence_time', 'Seconds from a change to when a proxy holds it', SECONDS)
  const rejects = counter('pilot_total_xds_rejects', 'Responses refused by proxies', 'type')
  const refused = counter('pilot_total_xds_internal_errors', 'Streams turned away')
  const rejecting = new Map(
    ['cds', 'eds', 'lds', 'rds'].map((type) => [
      type,
      gauge(`pilot_xds_${type}_reject`, `Proxies that refuse their ${type.toUpperCase()} response`, 'node', 'err'),
    ]),
  )
  const labels = (node: string) => ({ node, err: 'INVALID_ARGUMENT' })
  return {
    refused: () => refused.inc(),
    pushed: ({ typeUrl, bytes }) => {
      const type = typeName(typeUrl)
      pushes.inc({ type })
      sizes.observe({ type }, bytes)
    },
    accepted: ({ nodeId, typeUrl, milliseconds }) => {
      const type = typeName(typeUrl)
      pushTime.observe({ type }, milliseconds / 1000)
      rejecting.get(type)?.remove(labels(nodeId))
    },
    rejected: ({ nodeId, typeUrl }) => {
      const type = typeName(typeUrl)
      rejects.inc({ type })
      rejecting.get(type)?.set(labels(nodeId), 1)
    },
    disconnected: ({ nodeId }) => {
      for (const reject of rejecting.values()) reject.remove(labels(nodeId))
    },
    converged: ({ milliseconds }) => convergence.observe(milliseconds / 1000),
  }
}
