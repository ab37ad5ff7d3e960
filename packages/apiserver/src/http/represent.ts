/** In which form an object is wanted, from the `Accept` header. */
import { notAcceptable } from '../errors.ts'
import type { IncludeObject } from '../table/table.ts'

export interface Representation {
  readonly as: 'object' | 'table' | 'metadata'
  readonly version: 'v1' | 'v1beta1'
  readonly include: IncludeObject
}

/** @throws StatusError 406 when nothing that is accepted can be made */
export function represent(accept: string, query: URLSearchParams): Representation {
  const includeObject = query.get('includeObject')
  const include: IncludeObject = includeObject === 'Object' || includeObject === 'None' ? includeObject : 'Metadata'
  const plain: Representation = { as: 'object', version: 'v1', include }
  if (accept.trim() === '') return plain
  for (const part of accept.split(',')) {
    const [type = '', ...parameters] = part.split(';').map((p) => p.trim())
    if (!['application/json', 'application/*', '*/*', 'application/yaml', 'text/html', 'text/plain'].includes(type)) continue
    const values = new Map(parameters.map((p) => [p.slice(0, p.indexOf('=')), p.slice(p.indexOf('=') + 1)]))
    const as = values.get('as')
    const version = values.get('v') === 'v1beta1' ? 'v1beta1' : 'v1'
    if (as === undefined) return plain
    if (values.get('g') !== 'meta.k8s.io') continue
    if (as === 'Table') return { as: 'table', version, include }
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { as: 'metadata', version, include }
  }
  throw notAcceptable(['application/json'])
}
