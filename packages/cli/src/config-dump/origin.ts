/** Which object a resource came of: Istio's metadata `istio.config` holds the object's API path. */
import { at, text } from './fields.ts'

/** `name.namespace` of the object, empty when the resource names none, `<unknown>` when its path is of another form. */
export function originOf(metadata: unknown): string {
  const path = text(at(metadata, 'filter_metadata', 'istio', 'config'))
  if (path === '') return ''
  if (!path.startsWith('/apis/networking.istio.io/') && !path.startsWith('/apis/gateway.networking.k8s.io/')) return '<unknown>'
  const [, , , , , namespace, , name, ...more] = path.split('/')
  return name !== undefined && more.length === 0 ? `${name}.${namespace}` : ''
}
