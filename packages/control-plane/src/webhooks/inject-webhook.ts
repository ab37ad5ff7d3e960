/** `/inject` and its variants that set cluster and network in the path. */
import { logger } from '@lateen/base'
import { admit, type InjectionSettings, nativeSidecarsByDefault, type ProxyConfig, proxyEnvOfPath, readMesh } from '@lateen/inject'
import type { HttpReply, HttpRequest } from '../http/http-server.ts'
import type { MeshDocuments } from '../mesh-config/mesh-documents.ts'
import type { WebhookMetrics } from '../metrics/webhook-metrics.ts'
import type { InjectorSettings } from './injector-config.ts'

export interface InjectWebhookOptions {
  readonly settings: () => InjectorSettings
  readonly mesh: () => MeshDocuments
  readonly revision: string
  /** `ENABLE_NATIVE_SIDECARS`, and the API server's minor version that `auto` depends on. */
  readonly nativeSidecars: string
  readonly kubernetesMinor: () => number
  readonly tlsPolicy: InjectionSettings['tlsPolicy']
  readonly namespaceAnnotations: (namespace: string) => Readonly<Record<string, string>> | undefined
  /** What ProxyConfig objects say of a pod's proxy. */
  readonly proxyConfig: (namespace: string, labels: Readonly<Record<string, string>>) => ProxyConfig
  readonly metrics: Pick<WebhookMetrics, 'injection'>
}

const log = logger('injection')

export async function serveInject(options: InjectWebhookOptions, request: HttpRequest): Promise<HttpReply> {
  const start = performance.now()
  if (request.method !== 'POST') return { status: 405, body: 'the webhook takes POST requests only\n' }
  const body = await request.body()
  let review: unknown
  try {
    review = JSON.parse(body)
  } catch {
    return { status: 400, body: 'the body is not JSON; the webhook expects an AdmissionReview\n' }
  }
  const { config, values } = options.settings()
  const admission = admit(review, {
    settings: {
      config,
      values,
      mesh: readMesh(options.mesh().mesh),
      revision: options.revision,
      nativeSidecars: nativeSidecarsByDefault(options.nativeSidecars, options.kubernetesMinor()),
      tlsPolicy: options.tlsPolicy,
    },
    namespaceAnnotations: options.namespaceAnnotations,
    proxyConfig: options.proxyConfig,
    proxyEnv: proxyEnvOfPath(request.url.pathname),
  })
  const { outcome, pod, reason } = admission
  options.metrics.injection(
    outcome === 'injected' ? 'success' : outcome === 'skipped' ? 'skip' : 'failure',
    (performance.now() - start) / 1000,
  )
  if (outcome === 'injected' || outcome === 'skipped') log.debug(`${outcome} ${pod}: ${reason}`)
  else log.warn(`${outcome} ${pod}: ${reason}`)
  return { status: 200, body: JSON.stringify(admission.review), contentType: 'application/json' }
}
