/** The control plane's metrics, under the names that dashboards and alerts for istiod use. */
import type { XdsObserver } from '@lateen/xds'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { VERSION } from '../version.ts'
import type { RegistrationObserver } from '../workload-entries/registry.ts'
import { type CertificateMetrics, createCertificateMetrics } from './certificate-metrics.ts'
import { type ConfigMetrics, createConfigMetrics } from './config-metrics.ts'
import { createInstruments } from './instruments.ts'
import { createKeyMetrics, type KeyMetrics } from './key-metrics.ts'
import { createRegistrationMetrics } from './registration-metrics.ts'
import { createWebhookMetrics, type WebhookMetrics } from './webhook-metrics.ts'
import { createXdsMetrics } from './xds-metrics.ts'

export interface Metrics {
  /** The text that Prometheus scrapes. */
  text(): Promise<string>
  readonly contentType: string
  readonly xds: XdsObserver
  readonly config: ConfigMetrics
  readonly certificates: CertificateMetrics
  readonly webhooks: WebhookMetrics
  readonly keys: KeyMetrics
  readonly registrations: RegistrationObserver
  ready(): void
}

/** @param connections how many proxies are connected now */
export function createMetrics(connections: () => number): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const instruments = createInstruments(registry)
  const started = performance.now()
  const seconds = () => (performance.now() - started) / 1000
  instruments.gauge('pilot_info', 'Version of this control plane', 'version').set({ version: VERSION }, 1)
  instruments.gauge('istio_build', 'Version of this component', 'component', 'tag').set({ component: 'pilot', tag: VERSION }, 1)
  instruments.read('pilot_xds', 'Proxies connected', connections, { version: VERSION })
  instruments.read('istiod_uptime_seconds', 'Seconds since the start', seconds)
  const startup = instruments.gauge('startup_duration_seconds', 'Seconds from the start to readiness')
  return {
    text: () => registry.metrics(),
    contentType: registry.contentType,
    xds: createXdsMetrics(instruments),
    config: createConfigMetrics(instruments),
    certificates: createCertificateMetrics(instruments),
    webhooks: createWebhookMetrics(instruments),
    keys: createKeyMetrics(instruments),
    registrations: createRegistrationMetrics(instruments),
    ready: () => startup.set(seconds()),
  }
}
