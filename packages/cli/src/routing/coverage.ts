/** Which routes of VirtualServices no case has reached. */

import { refOf } from '@lateen/api'
import { objectName } from '@lateen/base'
import { fieldsOf, listOf } from './fields.ts'
import type { Journey } from './journey.ts'
import type { World } from './world.ts'

export interface Coverage {
  readonly routes: number
  readonly covered: number
  /** `VirtualService default/reviews spec.http[1] (file:line)` */
  readonly uncovered: readonly string[]
}

/** Names of the routes that a journey takes: `VirtualService default/reviews spec.http[1]`. */
export function takenRoutes({ legs }: Journey): string[] {
  return legs.flatMap(({ outcome }) =>
    (outcome.route?.origins ?? []).flatMap((origin) =>
      origin.path ? [`${objectName(origin)} ${origin.path.replace(/\.match\[\d+\]$/, '')}`] : [],
    ),
  )
}

export function coverageOf(world: World, taken: ReadonlySet<string>): Coverage {
  const all = world.objects.flatMap((object) => {
    if (object.kind !== 'VirtualService') return []
    const ref = refOf(object)
    // A route that hands over to a delegate is covered by the delegate's own.
    return listOf(fieldsOf(object.spec)['http']).flatMap((route, index) =>
      fieldsOf(route)['delegate'] === undefined ? [{ ref, path: `spec.http[${index}]` }] : [],
    )
  })
  const uncovered = all.filter(({ ref, path }) => !taken.has(`${objectName(ref)} ${path}`))
  return {
    routes: all.length,
    covered: all.length - uncovered.length,
    uncovered: uncovered.map(({ ref, path }) => {
      const file = world.whereIs({ ...ref, path })
      return `${objectName(ref)} ${path}${file ? ` (${file})` : ''}`
    }),
  }
}
