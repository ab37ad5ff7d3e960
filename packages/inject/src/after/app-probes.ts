/**
 * Probes of the application, rewritten to go through the agent: the kubelet has no mesh certificate, and a TCP probe of a
 * captured port would always succeed. The agent learns from `ISTIO_KUBE_APP_PROBERS` what to ask for each rewritten path.
 */
import { parseTruth } from '../decide/annotations.ts'
import { orderedJson } from '../pod/field-order.ts'
import {
  allContainers,
  type Container,
  findContainer,
  type Handler,
  isRecord,
  type Pod,
  PROXY_CONTAINER,
  withContainer,
  withContainers,
} from '../pod/pod.ts'
import type { MeshSettings } from '../settings/injector-config.ts'
import { statusPort } from '../settings/proxy-config.ts'
import { flagAt, type Values } from '../settings/values.ts'

const PROBERS = 'ISTIO_KUBE_APP_PROBERS'

export function rewriteAppProbes(pod: Pod, original: Pod, settings: { readonly mesh: MeshSettings; readonly values: Values }): Pod {
  const asked = parseTruth(pod.metadata.annotations?.['sidecar.istio.io/rewriteAppHTTPProbers'])
  const rewrite = asked ?? flagAt(settings.values, 'sidecarInjectorWebhook.rewriteAppHTTPProbe')
  if (!rewrite || !findContainer(pod, PROXY_CONTAINER)) return pod
  const annotated = pod.metadata.annotations?.['status.sidecar.istio.io/port']
  const port = annotated === undefined ? statusPort(settings.mesh.defaultConfig) : Number(annotated)
  const probers = Object.assign({}, ...allContainers(pod).map((container) => probersOf(container, port)))
  const rewritten = rewriteContainers(pod, port)
  if (Object.keys(probers).length === 0) return rewritten
  const injectedBefore = original.metadata.annotations?.['sidecar.istio.io/status'] !== undefined
  return withContainer(rewritten, PROXY_CONTAINER, (c) => withProbers(c, probers, injectedBefore))
}

function withProbers(proxy: Container, probers: Record<string, Handler>, injectedBefore: boolean): Container {
  const env = proxy.env ?? []
  const before = injectedBefore ? parseProbers(env.find((e) => e.name === PROBERS)?.value) : {}
  const all = { ...before, ...probers }
  const texts = Object.keys(all)
    .sort()
    .map((path) => `${JSON.stringify(path)}:${orderedJson(all[path])}`)
  return { ...proxy, env: [...env.filter((e) => e.name !== PROBERS), { name: PROBERS, value: `{${texts.join(',')}}` }] }
}

/** What the agent has to ask, by the path that the kubelet will ask it for. */
function probersOf(container: Container, statusPort: number): Record<string, Handler> {
  if (container.name === PROXY_CONTAINER) return {}
  const ports = new Map((container.ports ?? []).flatMap((port) => (port.name ? [[port.name, port.containerPort] as const] : [])))
  return Object.fromEntries(
    hooksOf(container).flatMap(({ path, handler }) => {
      const prober = handler && proberOf(handler, ports, statusPort)
      return prober ? [[path, prober] as const] : []
    }),
  )
}

function hooksOf(container: Container): { readonly path: string; readonly handler: Handler | undefined }[] {
  const health = `/app-health/${container.name}`
  const lifecycle = `/app-lifecycle/${container.name}`
  return [
    { path: `${health}/readyz`, handler: container.readinessProbe },
    { path: `${health}/livez`, handler: container.livenessProbe },
    { path: `${health}/startupz`, handler: container.startupProbe },
    { path: `${lifecycle}/prestopz`, handler: container.lifecycle?.preStop },
    { path: `${lifecycle}/poststartz`, handler: container.lifecycle?.postStart },
  ]
}

/** The action with its port as a number; nothing for `exec`, for a port name that does not exist and for what is rewritten already. */
function proberOf(handler: Handler, ports: ReadonlyMap<string, number>, statusPort: number): Handler | undefined {
  const timeout = handler.timeoutSeconds ? { timeoutSeconds: handler.timeoutSeconds } : {}
  if (handler.grpc) return { grpc: handler.grpc, ...timeout }
  const [kind, action] = handler.httpGet ? (['httpGet', handler.httpGet] as const) : (['tcpSocket', handler.tcpSocket] as const)
  if (!action) return undefined
  const port = portNumber(action.port, ports)
  if (port === undefined || port === statusPort) return undefined
  return { [kind]: { ...action, port }, ...timeout }
}

function portNumber(port: number | string, ports: ReadonlyMap<string, number>): number | undefined {
  return typeof port === 'number' ? port : ports.get(port)
}

function rewriteContainers(pod: Pod, port: number): Pod {
  const rewrite = (container: Container): Container => {
    if (container.name === PROXY_CONTAINER) return container
    const { readinessProbe, livenessProbe, startupProbe, lifecycle, ...rest } = container
    const [ready, live, start, stop, begin] = hooksOf(container).map((hook) => hook.handler && throughAgent(hook.handler, hook.path, port))
    return {
      ...rest,
      ...(ready ? { readinessProbe: ready } : {}),
      ...(live ? { livenessProbe: live } : {}),
      ...(start ? { startupProbe: start } : {}),
      ...(lifecycle ? { lifecycle: { ...lifecycle, ...(stop ? { preStop: stop } : {}), ...(begin ? { postStart: begin } : {}) } } : {}),
    }
  }
  return withContainers(pod, pod.spec.containers.map(rewrite), (pod.spec.initContainers ?? []).map(rewrite))
}

function throughAgent(handler: Handler, path: string, port: number): Handler {
  const { httpGet, tcpSocket, grpc, ...rest } = handler
  if (httpGet) {
    // The kubelet asks the agent in plain text; the agent asks the application as it was meant.
    const scheme = httpGet.scheme === 'HTTPS' ? { scheme: 'HTTP' } : {}
    return { ...rest, httpGet: { ...httpGet, ...scheme, path, port } }
  }
  return tcpSocket || grpc ? { ...rest, httpGet: { path, port } } : handler
}

function parseProbers(text: string | undefined): Record<string, Handler> {
  if (text === undefined) return {}
  try {
    const parsed: unknown = JSON.parse(text)
    return isRecord(parsed)
      ? Object.fromEntries(Object.entries(parsed).filter((entry): entry is [string, Handler] => isRecord(entry[1])))
      : {}
  } catch {
    return {}
  }
}
