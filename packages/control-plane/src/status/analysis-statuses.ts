/**
 * `status.validationMessages` of Istio's objects: what analysis says of each among the others. Off unless asked for, as in istiod
 * (`PILOT_ENABLE_ANALYSIS`); looked at again a while after the configuration has changed.
 */
import { ANALYZERS, analyze, documentationUrl, type Finding, isIstioKind } from '@lateen/analysis'
import { splitApiVersion } from '@lateen/api'
import { equal } from '@lateen/graph'
import type { WantedStatus } from '@lateen/model'
import type { StatusWatch } from '@lateen/translate'
import { type LiveWorld, UNREAD_KINDS } from '../analysis/live-world.ts'

export interface AnalysisStatuses {
  /** The configuration has changed. */
  changed(): void
  /** As `ObjectStatusesOptions.watch`. */
  watch(onChange: (statuses: ReadonlyMap<string, WantedStatus>) => void): StatusWatch
}

export function createAnalysisStatuses(world: LiveWorld, intervalMs: number): AnalysisStatuses {
  let isDirty = true
  return {
    changed: () => {
      isDirty = true
    },
    watch: (onChange) => {
      let current = statusesOf(world, new Map())
      isDirty = false
      const timer = setInterval(() => {
        if (!isDirty) return
        isDirty = false
        current = statusesOf(world, current)
        onChange(current)
      }, intervalMs)
      timer.unref()
      return { value: () => current, close: () => clearInterval(timer) }
    },
  }
}

/** Of every object of Istio's API, so that what was said before goes; one that stays the same stays the same value. */
function statusesOf(live: LiveWorld, before: ReadonlyMap<string, WantedStatus>): ReadonlyMap<string, WantedStatus> {
  const world = live.read()
  const { findings } = analyze(world, { analyzers: ANALYZERS, unavailable: UNREAD_KINDS })
  const byObject = Map.groupBy(findings, ({ resource }) => resource?.object)
  const found = new Map<string, WantedStatus>()
  for (const { kind, object, namespace, name } of live.resources()) {
    if (!isIstioKind(kind)) continue
    const key = `${splitApiVersion(object.apiVersion).group}/${kind} ${namespace}/${name}`
    const messages = (byObject.get(object) ?? []).map(messageOf)
    const status: WantedStatus = {
      object: { kind, namespace, name },
      generation: undefined,
      fields: { validationMessages: messages.length > 0 ? messages : null },
    }
    const known = before.get(key)
    found.set(key, known && equal(known, status) ? known : status)
  }
  return found
}

/** As the status of Istio's kinds has it: what sort of message, not its words. */
const messageOf = ({ code, message, level }: Finding) => ({
  type: { name: message, code },
  level: level.toUpperCase(),
  documentationUrl: documentationUrl(code),
})
