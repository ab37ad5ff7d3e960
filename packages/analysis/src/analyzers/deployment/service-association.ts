/** Services that select one deployment and contradict each other about its ports. */
import type { Analyzer, Report } from '../../analyzer.ts'
import { isDeploymentInMesh } from '../../indexes/in-mesh.ts'
import { servicesSelecting } from '../../indexes/services-of-pods.ts'
import { fullName, type Resource } from '../../resource.ts'

const MANAGED = 'gateway.istio.io/managed'
const WAYPOINT = 'istio.io-mesh-controller'
const PATH = 'metadata.name'

type Service = Resource<'Service'>

export const serviceAssociation: Analyzer = {
  name: 'deployment.MultiServiceAnalyzer',
  description: 'Services that select the same deployment and disagree about its ports',
  inputs: ['Service', 'Deployment', 'Namespace'],
  messages: ['DeploymentAssociatedToMultipleServices', 'DeploymentConflictingPorts'],
  analyze(world, report) {
    for (const deployment of world.of('Deployment')) {
      if (deployment.labels[MANAGED] === WAYPOINT || !isDeploymentInMesh(world, deployment)) continue
      const services = servicesSelecting(world, deployment.namespace, deployment.spec.labels)
      checkProtocols(deployment, services, report)
      checkTargetPorts(deployment, services, report)
    }
  },
}

/** One port with two protocols. */
function checkProtocols(deployment: Resource<'Deployment'>, services: readonly Service[], report: Report): void {
  const ports = new Map<number, { readonly protocols: Set<string>; readonly services: string[] }>()
  for (const service of services) {
    for (const { port, protocol } of service.spec.ports) {
      const entry = ports.get(port) ?? { protocols: new Set(), services: [] }
      entry.protocols.add(protocol || 'TCP')
      entry.services.push(fullName(service))
      ports.set(port, entry)
    }
  }
  for (const [port, entry] of ports) {
    if (entry.protocols.size < 2) continue
    const args = { deployment: deployment.name, port, services: entry.services.sort() }
    report('DeploymentAssociatedToMultipleServices', deployment, args, PATH)
  }
}

/** One target port that is known by several ports. */
function checkTargetPorts(deployment: Resource<'Deployment'>, services: readonly Service[], report: Report): void {
  const targets = new Map<string, Map<number, string>>()
  for (const service of services) {
    for (const { port, targetPort } of service.spec.ports) {
      const target = targetPort === undefined || targetPort === 0 || targetPort === '' ? `${port}` : `${targetPort}`
      targets.set(target, (targets.get(target) ?? new Map<number, string>()).set(port, fullName(service)))
    }
  }
  for (const [targetPort, ports] of targets) {
    if (ports.size < 2) continue
    const args = {
      deployment: deployment.name,
      services: [...ports.values()].sort(),
      targetPort,
      ports: [...ports.keys()].sort((a, b) => a - b),
    }
    report('DeploymentConflictingPorts', deployment, args, PATH)
  }
}
