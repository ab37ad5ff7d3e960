/** What comes in, and how long it waits. */
import type { ConfigChange } from '@lateen/config'
import { reasonsOf } from '../pipeline/reasons.ts'
import { type Instruments, SECONDS } from './instruments.ts'

export interface AppliedBatch {
  readonly changes: readonly ConfigChange[]
  /** How many changes came in, before those of one object were joined. */
  readonly events: number
  readonly waitedMs: number
  readonly applyMs: number
}

export interface ConfigMetrics {
  applied(batch: AppliedBatch): void
}

const REGISTRY_KINDS = new Set(['Service', 'EndpointSlice', 'Pod', 'Node', 'Namespace'])

export function createConfigMetrics({ counter, gauge, histogram }: Instruments): ConfigMetrics {
  const queueTime = histogram('pilot_proxy_queue_time', 'Seconds from a change to when proxies are told', SECONDS)
  const debounceTime = histogram('pilot_debounce_time', 'Seconds that changes wait for others', SECONDS)
  const applyTime = histogram('pilot_pushcontext_init_seconds', 'Seconds that it takes to apply a batch', SECONDS)
  const triggers = counter('pilot_push_triggers', 'Batches applied, by what they contain', 'type')
  const updates = counter('pilot_inbound_updates', 'Changes that came in', 'type')
  const configEvents = counter('pilot_k8s_cfg_events', 'Changes of configuration objects', 'type', 'event')
  const registryEvents = counter('pilot_k8s_reg_events', 'Changes of registry objects', 'type', 'event')
  const counts = new Map([
    ['Service', { gauge: gauge('pilot_services', 'Services known'), keys: new Set<string>() }],
    ['VirtualService', { gauge: gauge('pilot_virt_services', 'VirtualServices known'), keys: new Set<string>() }],
  ])
  const count = ({ operation, object }: ConfigChange) => {
    const known = counts.get(object.kind)
    if (!known) return
    const key = `${object.metadata.namespace ?? ''}/${object.metadata.name}`
    if (operation === 'set') known.keys.add(key)
    else known.keys.delete(key)
    known.gauge.set(known.keys.size)
  }
  return {
    applied: ({ changes, events, waitedMs, applyMs }) => {
      debounceTime.observe(waitedMs / 1000)
      applyTime.observe(applyMs / 1000)
      queueTime.observe((waitedMs + applyMs) / 1000)
      for (const type of reasonsOf(changes)) {
        triggers.inc({ type })
        updates.inc({ type }, events)
      }
      for (const change of changes) {
        const { kind } = change.object
        const event = change.operation === 'set' ? 'update' : 'delete'
        if (REGISTRY_KINDS.has(kind)) registryEvents.inc({ type: `${kind}s`, event })
        else configEvents.inc({ type: kind, event })
        count(change)
      }
    },
  }
}
