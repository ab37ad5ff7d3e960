/** Gateways: their proxies run, and their Services can be reached. */
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { type PodObject, proxyContainerOf } from '../../cluster/pods.ts'
import { at, fields, list, text } from '../../config-dump/fields.ts'
import { type CheckContext, type CheckResult, counted, LINKS, named, ok, warning } from './result.ts'

export async function gatewayChecks({ cluster }: CheckContext): Promise<CheckResult[]> {
  const [pods, services] = await Promise.all([
    cluster.client.list<PodObject>(RESOURCE_TYPES.Pod),
    cluster.client.list(RESOURCE_TYPES.Service),
  ])
  const gateways = pods.items.filter(isGateway)
  if (gateways.length === 0) return [ok('gateways run', 'there is none')]
  const waiting = gateways.filter((pod) => !isReady(pod)).map(({ metadata }) => `${metadata.name}.${metadata.namespace}`)
  const runs = 'all gateways are ready'
  return [
    waiting.length === 0
      ? ok(runs, counted(gateways.length, 'pod'))
      : warning(runs, `not ready: ${named(waiting)}`, {
          hint: 'kubectl describe pod; a gateway is ready once it has its configuration',
          link: LINKS.network,
        }),
    serviceCheck(gateways, services.items),
  ]
}

function isGateway(pod: PodObject): boolean {
  if (proxyContainerOf(pod) === undefined) return false
  const containers = list(at(pod, 'spec', 'containers'))
  return containers.some((each) => text(at(each, 'name')) === 'istio-proxy' && list(at(each, 'args')).includes('router'))
}

const isReady = ({ status }: PodObject): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false

function serviceCheck(gateways: readonly PodObject[], services: readonly KubeObject[]): CheckResult {
  const check = 'the load balancers of gateways have addresses'
  const fronts = services.filter(
    (service) => gateways.some((pod) => selects(service, pod)) && at(service, 'spec', 'type') === 'LoadBalancer',
  )
  const pending = fronts.filter((service) => list(at(service, 'status', 'loadBalancer', 'ingress')).length === 0)
  if (pending.length === 0) return ok(check, counted(fronts.length, 'Service'))
  return warning(check, `none yet: ${named(pending.map(({ metadata }) => `${metadata.name}.${metadata.namespace}`))}`, {
    hint: 'the cluster has no load balancer, or it is being made; without one, use NodePort or kubectl port-forward',
    link: LINKS.network,
  })
}

function selects(service: KubeObject, pod: PodObject): boolean {
  const selector = Object.entries(fields(at(service, 'spec', 'selector')))
  return (
    selector.length > 0 &&
    service.metadata.namespace === pod.metadata.namespace &&
    selector.every(([key, value]) => pod.metadata.labels?.[key] === value)
  )
}
