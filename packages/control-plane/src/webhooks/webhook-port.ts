/** The port that the API server calls: injection and validation. */
import { logger } from '@lateen/base'
import { BUILT_IN_TEMPLATES } from '@lateen/inject'
import type { KubeClient } from '@lateen/kube'
import type { ServerCertificates } from '../certificates/server-certificate.ts'
import { type HttpReply, type HttpRequest, type RunningHttpServer, startHttpServer } from '../http/http-server.ts'
import type { MeshDocuments } from '../mesh-config/mesh-documents.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { DiscoveryOptions } from '../options/discovery-options.ts'
import { type InjectWebhookOptions, serveInject } from './inject-webhook.ts'
import { watchInjectorConfig } from './injector-config.ts'
import type { ObjectWarnings } from './object-warnings.ts'
import { serveValidate } from './validate-webhook.ts'

export interface WebhookPortOptions {
  readonly options: DiscoveryOptions
  readonly client: KubeClient | undefined
  readonly tls: ServerCertificates
  readonly mesh: () => MeshDocuments
  readonly metrics: Metrics
  readonly namespaceAnnotations: (namespace: string) => Readonly<Record<string, string>> | undefined
  readonly proxyConfig: InjectWebhookOptions['proxyConfig']
  /** What is to be said of an object among the others; nothing where that is switched off. */
  readonly warnings: ObjectWarnings | undefined
}

const log = logger('webhook')
const BUILT_IN_TEXTS = Object.fromEntries(Object.keys(BUILT_IN_TEMPLATES).map((name) => [name, '']))
/** Pods are under 1.5 MiB, and an update carries two. */
const MAX_REVIEW_BYTES = 8 << 20

export interface RunningWebhooks extends RunningHttpServer {
  /** Texts of the injection templates now in force by name; empty for those that are built in. */
  templates(): Readonly<Record<string, string>>
}

/** Opens the port where there is Kubernetes; nobody else calls webhooks. @throws ListenError */
export async function startWebhooks({
  options,
  client,
  tls,
  mesh,
  metrics,
  namespaceAnnotations,
  proxyConfig,
  warnings,
}: WebhookPortOptions): Promise<RunningWebhooks | undefined> {
  const { https } = options.listen
  if (!https || !client) return undefined
  const injector = watchInjectorConfig(client, options.namespace, options.revision)
  const minor = { value: 0 }
  void readMinor(client).then((value) => {
    minor.value = value
  })
  const inject: InjectWebhookOptions = {
    settings: () => injector.current,
    mesh,
    revision: options.revision,
    nativeSidecars: options.injection.env.ENABLE_NATIVE_SIDECARS ?? 'auto',
    kubernetesMinor: () => minor.value,
    tlsPolicy: options.tls.policy,
    namespaceAnnotations,
    proxyConfig,
    metrics: metrics.webhooks,
  }
  const handler = async (request: HttpRequest): Promise<HttpReply> => {
    const { pathname } = request.url
    if (pathname === '/inject' || pathname.startsWith('/inject/')) {
      if (!options.injection.enabled) return { status: 404, body: 'injection is switched off (INJECT_ENABLED)\n' }
      // Defaults must not be injected just because the settings were not read yet.
      await injector.synced
      return serveInject(inject, request)
    }
    if (pathname === '/validate' || pathname.startsWith('/validate/'))
      return serveValidate({ metrics: metrics.webhooks, warnings }, request)
    if (pathname === '/ready') return { status: 200, body: '' }
    return { status: 404, body: 'there is nothing here; the webhooks are /inject and /validate\n' }
  }
  const { cert, key } = { cert: tls.current.certificateChain, key: tls.current.privateKey }
  const server = await startHttpServer({
    name: 'webhooks',
    flag: 'httpsAddr',
    address: https,
    handler,
    maxBodyBytes: MAX_REVIEW_BYTES,
    tls: { ...options.tls, cert, key },
  })
  return {
    port: server.port,
    templates: () => ({ ...BUILT_IN_TEXTS, ...injector.current.config.templates }),
    replaceCertificate: (newCert, newKey) => server.replaceCertificate(newCert, newKey),
    close: async () => {
      injector.stop()
      await server.close()
    },
  }
}

/** The API server's minor version, on which native sidecars depend; 0 when it cannot be read. */
async function readMinor(client: KubeClient): Promise<number> {
  try {
    const version = await client.request<{ readonly minor?: string }>('GET', '/version')
    return Number.parseInt(version.minor ?? '', 10) || 0
  } catch (error) {
    log.info(`the version of the API server could not be read: ${error instanceof Error ? error.message : String(error)}`)
    return 0
  }
}
