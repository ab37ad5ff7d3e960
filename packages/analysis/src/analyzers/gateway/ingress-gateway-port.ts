/** Gateways without a workload, and ports of gateways that no Service of the workload leads to. */
import type { Analyzer } from '../../analyzer.ts'
import { podsWith } from '../../indexes/pods.ts'
import { servicesSelecting } from '../../indexes/services-of-pods.ts'
import type { ServicePortView } from '../../kubernetes-views.ts'
import { selectorPath, selectorText } from '../../labels.ts'
import type { Resource } from '../../resource.ts'
import type { World } from '../../world.ts'

export const ingressGatewayPort: Analyzer = {
  name: 'gateway.IngressGatewayPortAnalyzer',
  description: "Gateways whose ports are not ports of their workload's Service",
  inputs: ['Gateway', 'Pod', 'Service'],
  messages: ['ReferencedResourceNotFound', 'GatewayPortNotDefinedOnService'],
  analyze(world, report) {
    for (const gateway of world.of('Gateway')) {
      const selector = gateway.spec.selector ?? {}
      const text = selectorText(selector)
      const path = selectorPath('spec.selector', selector)
      const pods = podsWith(world, selector)
      if (pods.length === 0) {
        report('ReferencedResourceNotFound', gateway, { reftype: 'selector', refval: text }, path)
        continue
      }
      const ports = portsLeadingTo(world, pods)
      for (const { port } of gateway.spec.servers ?? []) {
        const number = port?.number
        if (number === undefined || ports.has(number)) continue
        report('GatewayPortNotDefinedOnService', gateway, { port: number, selector: text }, path)
      }
    }
  },
}

function portsLeadingTo(world: World, pods: readonly Resource<'Pod'>[]): Set<number> {
  const services = new Set(pods.flatMap(({ namespace, labels }) => servicesSelecting(world, namespace, labels)))
  return new Set([...services].flatMap(({ spec }) => spec.ports.filter(isTcp).map(targetOf)))
}

const isTcp = ({ protocol }: ServicePortView): boolean => protocol === '' || protocol === 'TCP'

/** A target port that is a name says nothing about its number; the port's own is taken then. */
function targetOf({ port, targetPort }: ServicePortView): number {
  const target = typeof targetPort === 'string' && !/^\d+$/.test(targetPort) ? 0 : Number(targetPort ?? 0)
  return target === 0 ? port : target
}
