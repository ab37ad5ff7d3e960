/** Service ports whose protocol nobody can tell from their name. */
import { kubernetesProtocol } from '@lateen/model'
import type { Analyzer } from '../../analyzer.ts'
import { isControlPlane } from '../../indexes/in-mesh.ts'
import type { ServicePortView } from '../../kubernetes-views.ts'

const MANAGED = 'gateway.istio.io/managed'
/** Services that the control plane makes for gateways have names of its own. */
const CONTROLLERS: ReadonlySet<string> = new Set([
  'istio.io-gateway-controller',
  'istio.io-mesh-controller',
  'istio.io-eastwest-controller',
])

export const portName: Analyzer = {
  name: 'service.PortNameAnalyzer',
  description: 'Service ports whose name tells no protocol',
  inputs: ['Service'],
  messages: ['PortNameIsNotUnderNamingConvention', 'ExternalNameServiceTypeInvalidPortName'],
  analyze(world, report) {
    for (const service of world.of('Service')) {
      if (isControlPlane(service) || CONTROLLERS.has(service.labels[MANAGED] ?? '')) continue
      const isExternal = service.spec.type === 'ExternalName'
      for (const [i, port] of service.spec.ports.entries()) {
        if (isTold(port) && !(isExternal && port.name === 'tcp')) continue
        const path = `spec.ports[${i}].port`
        if (isExternal) report('ExternalNameServiceTypeInvalidPortName', service, {}, path)
        else {
          const args = { portName: port.name, port: port.port, targetPort: String(port.targetPort ?? port.port) }
          report('PortNameIsNotUnderNamingConvention', service, args, path)
        }
      }
    }
  },
}

/** Ports of SMTP, DNS, MySQL and MongoDB are told by their number. */
function isTold({ name, port, protocol, appProtocol }: ServicePortView): boolean {
  return kubernetesProtocol({ name, port, protocol, ...(appProtocol !== undefined && { appProtocol }) }) !== 'auto'
}
