/** The `values` of a sidecar injector's ConfigMap, as far as analyzers read them. */
import { fieldsOf } from '../../kubernetes-views.ts'
import type { Resource } from '../../resource.ts'

export interface InjectionValues {
  readonly enableNamespacesByDefault: boolean
  /** The proxy image that is injected. */
  readonly proxyImage: string
}

export function injectionValues({ spec }: Resource<'ConfigMap'>): InjectionValues {
  const values = fieldsOf(parse(spec.data['values'] ?? ''))
  const { hub, tag, proxy } = fieldsOf(values['global'])
  const image = text(fieldsOf(proxy)['image'])
  return {
    enableNamespacesByDefault: fieldsOf(values['sidecarInjectorWebhook'])['enableNamespacesByDefault'] === true,
    proxyImage: image.includes('/') ? image : `${text(hub)}/${image}:${text(tag)}`,
  }
}

const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '')

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
