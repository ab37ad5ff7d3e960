/** CPU and memory of the proxy: from the pod's annotations if it has any of them, else from the values. */
import { isRecord } from '../../pod/pod.ts'
import { canonicalQuantity } from '../../pod/quantity.ts'
import { valueAt } from '../../settings/values.ts'
import { annotation, present, type TemplateInput } from '../input.ts'

/** A `resources` field; empty when nothing is set. */
export function proxyResources(input: TemplateInput): Record<string, unknown> {
  const [cpu, memory, cpuLimit, memoryLimit] = ['CPU', 'Memory', 'CPULimit', 'MemoryLimit'].map((name) =>
    annotation(input, `sidecar.istio.io/proxy${name}`),
  )
  if ([cpu, memory, cpuLimit, memoryLimit].every((value) => value === undefined)) return resourcesAt(input, 'global.proxy.resources')
  return {
    ...amounts('limits', { cpu: cpuLimit, memory: memoryLimit }),
    ...amounts('requests', { cpu, memory }),
  }
}

function resourcesAt(input: TemplateInput, path: string): Record<string, unknown> {
  const value = valueAt(input.values, path)
  if (!isRecord(value)) return {}
  return { ...value, ...amounts('limits', value.limits), ...amounts('requests', value.requests) }
}

function amounts(field: string, value: unknown): Record<string, unknown> {
  if (!isRecord(value)) return {}
  const set = Object.entries(value).filter(([, amount]) => amount !== undefined && amount !== null)
  return present(
    field,
    set.length > 0 ? Object.fromEntries(set.map(([name, amount]) => [name, canonicalQuantity(String(amount))])) : undefined,
  )
}
