/**
 * What the user says about a container that a template also makes: the user wins, field by field.
 *
 * A pod may bring a container named `istio-proxy` (or `istio-init`, or any that a template names) with some fields set and
 * `image: auto`. The template is merged first, the user's container over it. It is kept in the annotation
 * `proxy.istio.io/overrides`, so that injecting the result again gives the same pod.
 */
import { orderedJson } from '../pod/field-order.ts'
import {
  type Container,
  findContainer,
  INIT_CONTAINER,
  isRecord,
  type Pod,
  PROXY_CONTAINER,
  VALIDATION_CONTAINER,
  withAnnotations,
  withContainer,
  withContainers,
} from '../pod/pod.ts'
import { mergePod } from '../pod/strategic-merge.ts'
import { interceptionMode, type ProxyConfig } from '../settings/proxy-config.ts'

const OVERRIDES = 'proxy.istio.io/overrides'
const STATUS = 'sidecar.istio.io/status'

interface Overrides {
  readonly containers: readonly Container[]
  readonly initContainers: readonly Container[]
}

/** Overrides kept from an earlier injection; empty when there are none or the text is not ours. */
export function keptOverrides(pod: Pod): Overrides {
  const text = pod.metadata.annotations?.[OVERRIDES]
  if (text === undefined) return { containers: [], initContainers: [] }
  const parsed = parseJson(text)
  return { containers: containersIn(parsed, 'containers'), initContainers: containersIn(parsed, 'initContainers') }
}

/** `merged` (pod with templates) with the user's containers over those that templates made. */
export function applyOverrides(merged: Pod, original: Pod, template: Pod): Pod {
  const kept = keptOverrides(original)
  const inits = original.spec.initContainers ?? []
  const chosen = {
    containers: chosenOverrides(template.spec.containers, [...kept.containers, ...original.spec.containers, ...inits]),
    initContainers: chosenOverrides(template.spec.initContainers ?? [], [...kept.initContainers, ...inits, ...original.spec.containers]),
  }
  let pod = mergePod(merged, { spec: { containers: chosen.containers } })
  if (chosen.initContainers.length > 0) pod = mergePod(pod, { spec: { initContainers: chosen.initContainers } })
  const lists = Object.entries(chosen).filter(([, list]) => list.length > 0)
  const first = original.metadata.annotations?.[STATUS] === undefined
  if (!first || lists.length === 0) return pod
  const json = `{${lists.map(([name, list]) => `"${name}":[${list.map((container) => orderedJson({ ...container, resources: container['resources'] ?? {} })).join(',')}]`).join(',')}}`
  return withAnnotations(pod, { [OVERRIDES]: json })
}

/** For each container that templates made, the first of the user's with its name. */
function chosenOverrides(made: readonly Container[], users: readonly Container[]): Container[] {
  return made.flatMap((container) => {
    const user = users.find((c) => c.name === container.name)
    if (!user) return []
    const { image, resources, ...rest } = user
    // Empty resources say nothing; merged, they would make a difference where a template has none.
    const own = isRecord(resources) && Object.keys(resources).length > 0 ? { ...rest, resources } : rest
    return [image === undefined || image === 'auto' ? own : { ...own, image }]
  })
}

/**
 * The pod with those of its containers among the init containers that templates make there (the proxy as a native sidecar): what the
 * user wrote about a container runs once, where the template says.
 */
export function withContainersMoved(pod: Pod, template: Pod): Pod {
  const stays = new Set(template.spec.containers.map((c) => c.name))
  const inits = new Set((template.spec.initContainers ?? []).map((c) => c.name).filter((name) => !stays.has(name)))
  const moved = pod.spec.containers.filter((c) => inits.has(c.name))
  if (moved.length === 0) return pod
  const containers = pod.spec.containers.filter((c) => !inits.has(c.name))
  return withContainers(pod, containers, [...(pod.spec.initContainers ?? []), ...moved])
}

/** The user may have given the proxy another user id: the capture containers follow, and TPROXY insists on root. */
export function alignUserIds(pod: Pod, original: Pod, proxyConfig: ProxyConfig): Pod {
  const asked = findContainer(original, PROXY_CONTAINER)?.securityContext
  if (asked?.runAsUser === undefined && asked?.runAsGroup === undefined) return pod
  const hasCapture = [INIT_CONTAINER, VALIDATION_CONTAINER].some((name) => pod.spec.initContainers?.some((c) => c.name === name))
  if (!hasCapture) return pod
  const mode = pod.metadata.annotations?.['sidecar.istio.io/interceptionMode'] ?? interceptionMode(proxyConfig)
  let result = pod
  if (mode === 'TPROXY' && asked.runAsUser !== undefined)
    result = withContainer(result, PROXY_CONTAINER, (c) => ({ ...c, securityContext: { ...c.securityContext, runAsUser: 0 } }))
  return withContainer(result, VALIDATION_CONTAINER, (c) => ({
    ...c,
    securityContext: {
      ...c.securityContext,
      ...(asked.runAsUser === undefined ? {} : { runAsUser: asked.runAsUser }),
      ...(asked.runAsGroup === undefined ? {} : { runAsGroup: asked.runAsGroup }),
    },
  }))
}

function containersIn(value: unknown, field: string): Container[] {
  const list = isRecord(value) ? value[field] : undefined
  return Array.isArray(list) ? list.filter((item): item is Container => isRecord(item) && typeof item.name === 'string') : []
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
