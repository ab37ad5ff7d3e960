/** What analysis says of the objects on a way. */
import { ANALYZERS, World as AnalysedWorld, analyze, RUNTIME_KINDS, readResource } from '@lateen/analysis'
import type { ObjectRef } from '@lateen/base'
import type { World } from './world.ts'

const MOST = 10

/** Lines with code, object and place; those of admission are told elsewhere. */
export function findingsOf(world: World, objects: readonly ObjectRef[], now: number): string[] {
  const wanted = new Set(objects.map(nameOf))
  if (wanted.size === 0) return []
  const resources = world.objects.flatMap((object) => readResource(object) ?? [])
  const analyzers = ANALYZERS.filter(({ name }) => !name.startsWith('schema.'))
  const unavailable = world.live ? new Set<never>() : RUNTIME_KINDS
  const { findings } = analyze(new AnalysedWorld(resources, { now }), { analyzers, unavailable })
  return findings
    .filter(({ resource }) => resource && wanted.has(nameOf({ ...resource, kind: resource.object.kind })))
    .map(({ code, origin, path, text }) => `${code} ${origin}: ${path === '' ? '' : `${path}: `}${text}`)
    .slice(0, MOST)
}

const nameOf = ({ kind, namespace, name }: ObjectRef): string => `${kind}/${namespace}/${name}`
