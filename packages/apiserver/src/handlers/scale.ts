/** The scale subresource, of built-in kinds and of CRDs that name their paths. */
import { jsonPath, setPlainPath } from '../crd/json-path.ts'
import { badRequest, invalid, invalidObject, notServed } from '../errors.ts'
import type { Kind } from '../registry/kind.ts'
import { selectorText } from '../table/column-parts.ts'
import { at, copy, isObj, num, type Obj, obj, str } from '../values.ts'

/** Scale has no schema: merge patches suffice for its few fields. */
export const scaleKind: Kind | undefined = undefined

export function readScale(kind: Kind, object: Obj): Obj {
  const paths = kind.custom?.scale
  const meta = obj(object['metadata'])
  const spec = paths ? jsonPath(object, paths.specReplicasPath)[0] : at(object, 'spec', 'replicas')
  const status = paths ? jsonPath(object, paths.statusReplicasPath)[0] : at(object, 'status', 'replicas')
  const selector = paths ? (paths.labelSelectorPath ? jsonPath(object, paths.labelSelectorPath)[0] : undefined) : selectorOf(kind, object)
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name: meta['name'],
      namespace: meta['namespace'],
      uid: meta['uid'],
      resourceVersion: meta['resourceVersion'],
      creationTimestamp: meta['creationTimestamp'],
    },
    spec: { replicas: num(spec) },
    status: { replicas: num(status), ...(typeof selector === 'string' && selector !== '' ? { selector } : {}) },
  }
}

function selectorOf(kind: Kind, object: Obj): string {
  const selector = at(object, 'spec', 'selector')
  return selectorText(kind.kind === 'ReplicationController' ? { matchLabels: selector } : selector)
}

/** The object with the replicas of a Scale. @throws StatusError */
export function scaleChange(kind: Kind, current: Obj, scale: unknown): Obj {
  if (!isObj(scale)) throw badRequest('the body must be one Scale object')
  if (!kind.subresources.has('scale')) throw notServed()
  const replicas = at(scale, 'spec', 'replicas') ?? 0
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0) {
    throw invalidObject({ group: 'autoscaling', plural: 'scales', kind: 'Scale' }, str(at(current, 'metadata', 'name')), [
      invalid('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ])
  }
  const next = copy(current)
  setPlainPath(next, kind.custom?.scale?.specReplicasPath ?? '.spec.replicas', replicas)
  const version = str(at(scale, 'metadata', 'resourceVersion'))
  const meta = obj(next['metadata'])
  if (version !== '') meta['resourceVersion'] = version
  return next
}
