/** Probes and lifecycle hooks of the proxy container. */
import { isRecord } from '../../pod/pod.ts'
import { flagAt, textAt, valueAt } from '../../settings/values.ts'
import { annotationOr, podStatusPort, type TemplateInput } from '../input.ts'

/** Ready once the proxy has its configuration; nothing when the status port is 0. */
export function readinessProbe(input: TemplateInput, port: number): Record<string, unknown> {
  if (podStatusPort(input) === '0') return {}
  const setting = (name: string, path: string) =>
    Number(annotationOr(input, `readiness.status.sidecar.istio.io/${name}`, `global.proxy.${path}`))
  const delay = setting('initialDelaySeconds', 'readinessInitialDelaySeconds')
  return {
    readinessProbe: {
      httpGet: { path: '/healthz/ready', port },
      ...(delay > 0 ? { initialDelaySeconds: delay } : {}),
      periodSeconds: setting('periodSeconds', 'readinessPeriodSeconds'),
      timeoutSeconds: 3,
      failureThreshold: setting('failureThreshold', 'readinessFailureThreshold'),
    },
  }
}

/** Asked every second until the proxy is up, so that containers that wait for it start at once. */
export function startupProbe(input: TemplateInput): Record<string, unknown> {
  if (podStatusPort(input) === '0' || !flagAt(input.values, 'global.proxy.startupProbe.enabled')) return {}
  return {
    startupProbe: {
      httpGet: { path: '/healthz/ready', port: 15021 },
      periodSeconds: 1,
      timeoutSeconds: 3,
      failureThreshold: Number(textAt(input.values, 'global.proxy.startupProbe.failureThreshold', '600')),
    },
  }
}

/** The user's own hooks; else wait for the proxy before the next container starts, or drain when the pod is told to stop. */
export function proxyLifecycle(input: TemplateInput): Record<string, unknown> {
  const own = valueAt(input.values, 'global.proxy.lifecycle')
  if (isRecord(own) && Object.keys(own).length > 0) return { lifecycle: own }
  if (input.nativeSidecar)
    return { lifecycle: { preStop: exec(['pilot-agent', 'request', `--debug-port=${podStatusPort(input)}`, 'POST', 'drain']) } }
  const hold =
    input.proxyConfig.holdApplicationUntilProxyStarts === true || flagAt(input.values, 'global.proxy.holdApplicationUntilProxyStarts')
  return hold ? { lifecycle: { postStart: exec(['pilot-agent', 'wait']) } } : {}
}

export const exec = (command: readonly string[]) => ({ exec: { command } })
