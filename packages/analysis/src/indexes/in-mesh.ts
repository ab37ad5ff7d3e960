/** Whether a workload has, or is to get, a sidecar, or is in ambient mode. */
import type { ContainerView, Labels } from '../kubernetes-views.ts'
import type { Resource } from '../resource.ts'
import type { World } from '../world.ts'

export const PROXY_CONTAINER = 'istio-proxy'
export const INJECT = 'sidecar.istio.io/inject'
export const INJECTION_LABEL = 'istio-injection'
export const REVISION_LABEL = 'istio.io/rev'
export const DATAPLANE_MODE = 'istio.io/dataplane-mode'

export function isDeploymentInMesh(world: World, { namespace, spec }: Resource<'Deployment'>): boolean {
  return isInMesh(world, { namespace, labels: spec.labels, annotations: spec.annotations, containers: spec.pod.containers })
}

export function isPodInMesh(world: World, { namespace, labels, annotations, spec }: Resource<'Pod'>): boolean {
  return isInMesh(world, { namespace, labels, annotations, containers: [...spec.containers, ...spec.initContainers] })
}

export const isPodInAmbientMode = ({ annotations }: Resource<'Pod'>): boolean => annotations['ambient.istio.io/redirection'] === 'enabled'

/** A namespace that asks for sidecars is not in ambient mode, whatever else it says. */
export function isNamespaceInAmbientMode({ labels }: Resource<'Namespace'>): boolean {
  return labels[INJECTION_LABEL] !== 'enabled' && !labels[REVISION_LABEL] && labels[DATAPLANE_MODE] === 'ambient'
}

/** The control plane's own workloads and services. */
export const isControlPlane = ({ labels }: Resource): boolean => 'istio' in labels || labels['release'] === 'istio'

interface Workload {
  readonly namespace: string
  readonly labels: Labels
  readonly annotations: Labels
  readonly containers: readonly ContainerView[]
}

function isInMesh(world: World, { namespace, labels, annotations, containers }: Workload): boolean {
  if (containers.some(({ name, image }) => name === PROXY_CONTAINER && image !== '')) return true
  const asked = labels[INJECT] ?? annotations[INJECT]
  if (asked !== undefined) return asked === 'true'
  return world.find('Namespace', '', namespace)?.labels[INJECTION_LABEL] === 'enabled'
}
