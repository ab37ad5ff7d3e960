/** Services by one label of their selectors: which services take pods with given labels. */
import { hasLabels } from '@lateen/api'
import type { Labels } from '../kubernetes-views.ts'
import type { Resource } from '../resource.ts'
import { groupBy, type World } from '../world.ts'

type Service = Resource<'Service'>

/** The services of a namespace whose selector takes pods with these labels; a service without a selector takes none. */
export function servicesSelecting(world: World, namespace: string, labels: Labels): Service[] {
  const index = world.index(byFirstLabel)
  const candidates = Object.entries(labels).flatMap(([key, value]) => index.get(`${namespace}/${key}=${value}`) ?? [])
  return candidates.filter((service) => hasLabels(labels, service.spec.selector))
}

function byFirstLabel(world: World): Map<string, Service[]> {
  const selecting = world.of('Service').filter(({ spec }) => Object.keys(spec.selector).length > 0)
  return groupBy(selecting, ({ namespace, spec }) => {
    const [key = '', value = ''] = Object.entries(spec.selector)[0] ?? []
    return `${namespace}/${key}=${value}`
  })
}
