/** `sidecar.istio.io/status`: what was injected, so that it can be found again, by this injector and by other tools. */
import { isRecord, type Pod } from '../pod/pod.ts'

export const STATUS_ANNOTATION = 'sidecar.istio.io/status'

export interface InjectionStatus {
  readonly initContainers: readonly string[]
  readonly containers: readonly string[]
}

/** The annotation's value for what the templates made. */
export function injectionStatus(template: Pod, revision: string): string {
  const names = (list: readonly { readonly name: string }[] | undefined) => (list && list.length > 0 ? list.map((item) => item.name) : null)
  return JSON.stringify({
    initContainers: names(template.spec.initContainers),
    containers: names(template.spec.containers),
    volumes: names(template.spec.volumes),
    imagePullSecrets: names(template.spec.imagePullSecrets),
    revision,
  })
}

/** What an earlier injection made; `undefined` when there was none. */
export function readInjectionStatus(pod: Pod): InjectionStatus | undefined {
  const text = pod.metadata.annotations?.[STATUS_ANNOTATION]
  if (text === undefined) return undefined
  try {
    const parsed: unknown = JSON.parse(text)
    if (!isRecord(parsed)) return undefined
    const names = (value: unknown) => (Array.isArray(value) ? value.filter((name): name is string => typeof name === 'string') : [])
    return { initContainers: names(parsed.initContainers), containers: names(parsed.containers) }
  } catch {
    return undefined
  }
}
