/** What `x describe` says of a pod and of a service by themselves. */
import { type ContainerPort, type KubeObject, type KubeServicePort, type Pod, refOf, type Service } from '@lateen/api'
import { kubernetesProtocol } from '@lateen/model'
import { podRevision } from '../injection/injector-list.ts'

const STEP = '   '
/** The proxy's user: what runs as it escapes capture. */
const PROXY_USER = 1337
const PROXY = 'istio-proxy'
const REQUIREMENTS = 'https://istio.io/latest/docs/ops/deployment/application-requirements/'

type Naming = (object: KubeObject) => string

interface Container {
  readonly name: string
  readonly ports: readonly ContainerPort[]
  readonly runAsUser: number | undefined
}

/** Containers with what of them is looked at, whoever wrote the pod. */
function containersOf(pod: Pod): Container[] {
  return (pod.spec?.containers ?? []).map((container) => ({
    name: container.name,
    ports: container.ports ?? [],
    runAsUser: runAsUser(container),
  }))
}

function runAsUser(container: object): number | undefined {
  const context = 'securityContext' in container ? container.securityContext : undefined
  return typeof context === 'object' && context !== null && 'runAsUser' in context && typeof context.runAsUser === 'number'
    ? context.runAsUser
    : undefined
}

/** @param quiet without the warnings about pods outside of the mesh */
export function podLines(pod: Pod, name: Naming, { quiet }: { readonly quiet: boolean }): string[] {
  const containers = containersOf(pod)
  const ports = containers.flatMap((container) => container.ports.map((port) => portText(port, container.name)))
  const reserved = containers.some((container) => container.name !== PROXY && container.runAsUser === PROXY_USER)
  const head = [
    ...(reserved ? ['WARNING: User ID (UID) 1337 is reserved for the sidecar proxy.'] : []),
    `Pod: ${name(pod)}`,
    `${STEP}Pod Revision: ${podRevision(pod)}`,
    ports.length > 0 ? `${STEP}Pod Ports: ${ports.join(', ')}` : `${STEP}Pod does not expose ports`,
  ]
  const phase = pod.status?.phase ?? 'Unknown'
  if (phase !== 'Running') return [...head, `${STEP}Pod is not Running (${phase})`]
  const lines = [...head, ...notReady(pod, name)]
  if (quiet) return lines
  return hasProxy(pod) ? [...lines, ...suggestions(pod)] : [...lines, `WARNING: ${name(pod)} is not part of mesh; no Istio sidecar`]
}

const portText = ({ containerPort, protocol = 'TCP' }: ContainerPort, container: string): string =>
  `${containerPort}${protocol === 'TCP' ? '' : `/${protocol}`} (${container})`

export const hasProxy = (pod: Pod): boolean =>
  [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].some(({ name }) => name === PROXY)

interface ContainerStatus {
  readonly name: string
  readonly ready: boolean
}

function statusesIn(pod: Pod, field: 'containerStatuses' | 'initContainerStatuses'): ContainerStatus[] {
  const entries: unknown = Object.entries(pod.status ?? {}).find(([name]) => name === field)?.[1]
  return (Array.isArray(entries) ? entries : []).flatMap((entry: unknown) =>
    typeof entry === 'object' && entry !== null && 'name' in entry && typeof entry.name === 'string'
      ? [{ name: entry.name, ready: 'ready' in entry && entry.ready === true }]
      : [],
  )
}

function notReady(pod: Pod, name: Naming): string[] {
  const of = (field: 'containerStatuses' | 'initContainerStatuses', what: string) =>
    statusesIn(pod, field)
      .filter(({ ready }) => !ready)
      .map((status) => `WARNING: Pod ${name(pod)} ${what} ${status.name} NOT READY`)
  return [...of('containerStatuses', 'Container'), ...of('initContainerStatuses', 'Init Container')]
}

/** Whether the proxy's container is ready; undefined when the pod has none. */
export function proxyReady(pod: Pod): boolean | undefined {
  const all = [...statusesIn(pod, 'containerStatuses'), ...statusesIn(pod, 'initContainerStatuses')]
  return all.find(({ name }) => name === PROXY)?.ready
}

const NAME_LABELS = ['service.istio.io/canonical-name', 'app.kubernetes.io/name', 'app']
const REVISION_LABELS = ['service.istio.io/canonical-revision', 'app.kubernetes.io/version', 'version']

/** Telemetry names workloads by these labels. */
function suggestions({ metadata: { labels = {} } }: Pod): string[] {
  const lacks = (names: readonly string[]) => !names.some((each) => Object.hasOwn(labels, each))
  return [
    ...(lacks(NAME_LABELS) ? [`Suggestion: add 'app' label to pod for Istio telemetry. See ${REQUIREMENTS}`] : []),
    ...(lacks(REVISION_LABELS) ? [`Suggestion: add 'version' label to pod for Istio telemetry. See ${REQUIREMENTS}`] : []),
  ]
}

export function serviceLines(service: Service, pod: Pod, name: Naming): string[] {
  const ports = (service.spec?.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP')
  return [`Service: ${name(service)}`, ...ports.map((port) => `${STEP}${servicePortText(port, pod)}`)]
}

function servicePortText(port: KubeServicePort, pod: Pod): string {
  const target = targetOf(port, pod)
  const name = port.name ?? ''
  if (target === undefined) {
    return `Port: ${name} ${port.port} targets "${port.targetPort}", which no container of pod ${refOf(pod).name} has as the name of a port`
  }
  const protocol = kubernetesProtocol({
    port: port.port,
    ...(port.name && { name: port.name }),
    ...(port.appProtocol && { appProtocol: port.appProtocol }),
  })
  return `Port: ${name} ${port.port}/${protocol === 'auto' ? 'auto-detect' : protocol.toUpperCase()} targets pod port ${target}`
}

/** The pod's own port behind a service's; undefined when it is named and no container has that name. */
export function targetOf({ port, targetPort }: KubeServicePort, pod: Pod): number | undefined {
  if (targetPort === undefined || targetPort === 0) return port
  if (typeof targetPort === 'number') return targetPort
  return (pod.spec?.containers ?? []).flatMap(({ ports = [] }) => ports).find(({ name }) => name === targetPort)?.containerPort
}
