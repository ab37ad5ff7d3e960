/** The control plane's metrics, under the names that dashboards and alerts for istiod use. */
import { TYPE_URL } from '@lateen/envoy'
import type { CertificateAuthority } from '@lateen/ca'
import { inspect } from '@lateen/ca'
import type { XdsObserver } from '@lateen/xds'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { CertificateObserver } from '../certificates/certificate-service.ts'
import { VERSION } from '../version.ts'

export interface Metrics {
  /** The text that Prometheus scrapes. */
  text(): Promise<string>
  readonly contentType: string
  readonly xds: XdsObserver
  readonly certificates: CertificateObserver
  /** A batch was applied. Times in milliseconds. */
  batchApplied(batch: { readonly events: number; readonly waitedMs: number; readonly applyMs: number; readonly reasons: ReadonlySet<string> }): void
  configEvent(kind: string, operation: 'set' | 'delete'): void
  objects(kind: 'services' | 'virtualServices', count: number): void
  authority(authority: CertificateAuthority): void
  injection(outcome: 'success' | 'failure' | 'skip', seconds: number): void
  validation(outcome: 'passed' | 'failed', object: { readonly group: string; readonly version: string; readonly resource: string }): void
  webhookPatched(outcome: 'patched' | 'failed', name: string): void
  ready(): void
}

/** The short names that metrics and tables use for types; others by the last part of their URL. */
const TYPE_NAMES = new Map<string, string>(Object.entries(TYPE_URL).map(([short, url]) => [url, short.toLowerCase()]))

export function typeName(typeUrl: string): string {
  return TYPE_NAMES.get(typeUrl) ?? typeUrl.slice(typeUrl.lastIndexOf('.') + 1)
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 5, 10, 20, 30]
const BYTES = [1, 10_000, 1_000_000, 4_000_000, 10_000_000, 40_000_000]

export function createMetrics(connections: () => number): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) => new Counter<L>({ name, help, labelNames, registers })
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]) => new Gauge<L>({ name, help, labelNames, registers })
  const histogram = <L extends string>(name: string, help: string, buckets: number[], ...labelNames: L[]) =>
    new Histogram<L>({ name, help, buckets, labelNames, registers })

  const started = performance.now()
  gauge('pilot_info', 'Version of this control plane', 'version').set({ version: VERSION }, 1)
  gauge('istio_build', 'Version of this component', 'component', 'tag').set({ component: 'pilot', tag: VERSION }, 1)
  new Gauge({
    name: 'pilot_xds',
    help: 'Proxies connected',
    labelNames: ['version'],
    registers,
    collect() {
      this.set({ version: VERSION }, connections())
    },
  })
  new Gauge({
    name: 'istiod_uptime_seconds',
    help: 'Seconds since the start',
    registers,
    collect() {
      this.set((performance.now() - started) / 1000)
    },
  })
  const startup = gauge('startup_duration_seconds', 'Seconds from the start to readiness')
  const pushes = counter('pilot_xds_pushes', 'Responses sent, by type', 'type')
  const sizes = histogram('pilot_xds_config_size_bytes', 'Size of responses', BYTES, 'type')
  const pushTime = histogram('pilot_xds_push_time', 'Seconds from sending a response to its acknowledgement', SECONDS, 'type')
  const convergence = histogram('pilot_proxy_convergence_time', 'Seconds from a change to when a proxy holds it', SECONDS)
  const queueTime = histogram('pilot_proxy_queue_time', 'Seconds that changes wait before they are applied', SECONDS)
  const debounceTime = histogram('pilot_debounce_time', 'Seconds that changes wait for others', SECONDS)
  const triggers = counter('pilot_push_triggers', 'Batches applied, by what they contain', 'type')
  const rejects = counter('pilot_total_xds_rejects', 'Responses refused by proxies', 'type')
  const rejectedNow = new Map(
    ['cds', 'eds', 'lds', 'rds'].map((type) => [type, gauge(`pilot_xds_${type}_reject`, `Proxies that refuse their ${type.toUpperCase()} response`, 'node', 'err')]),
  )
  const refused = counter('pilot_total_xds_internal_errors', 'Streams turned away')
  const updates = counter('pilot_inbound_updates', 'Changes that came in', 'type')
  const configEvents = counter('pilot_k8s_cfg_events', 'Changes of configuration objects', 'type', 'event')
  const registryEvents = counter('pilot_k8s_reg_events', 'Changes of registry objects', 'type', 'event')
  const services = gauge('pilot_services', 'Services known')
  const virtualServices = gauge('pilot_virt_services', 'VirtualServices known')
  const csrs = counter('citadel_server_csr_count', 'Certificate requests received')
  const issued = counter('citadel_server_success_cert_issuance_count', 'Certificates issued')
  const csrFailures = {
    authentication: counter('citadel_server_authentication_failure_count', 'Certificate requests of unproven callers'),
    parsing: counter('citadel_server_csr_parsing_err_count', 'Certificate requests that could not be read'),
    signing: counter('citadel_server_csr_sign_err_count', 'Certificates that could not be signed'),
  }
  const rootExpiry = gauge('citadel_server_root_cert_expiry_timestamp', 'When the root expires, in seconds since 1970')
  const chainExpiry = gauge('citadel_server_cert_chain_expiry_timestamp', 'When the signing certificate expires, in seconds since 1970')
  const injectionRequests = counter('sidecar_injection_requests_total', 'Pods seen by injection')
  const injections = {
    success: counter('sidecar_injection_success_total', 'Pods injected'),
    failure: counter('sidecar_injection_failure_total', 'Pods that could not be injected'),
    skip: counter('sidecar_injection_skip_total', 'Pods that injection left alone'),
  }
  const injectionTime = histogram('sidecar_injection_time_seconds', 'Seconds that an injection takes', SECONDS)
  const validations = {
    passed: counter('galley_validation_passed', 'Objects found valid', 'group', 'version', 'resource'),
    failed: counter('galley_validation_failed', 'Objects refused', 'group', 'version', 'resource'),
  }
  const patchAttempts = counter('webhook_patch_attempts_total', 'Webhook configurations patched', 'name')
  const patchFailures = counter('webhook_patch_failures_total', 'Webhook configurations that could not be patched', 'name')

  return {
    text: () => registry.metrics(),
    contentType: registry.contentType,
    xds: {
      refused: () => refused.inc(),
      pushed: ({ typeUrl, bytes }) => {
        const type = typeName(typeUrl)
        pushes.inc({ type })
        sizes.observe({ type }, bytes)
      },
      accepted: ({ nodeId, typeUrl, milliseconds }) => {
        const type = typeName(typeUrl)
        pushTime.observe({ type }, milliseconds / 1000)
        rejectedNow.get(type)?.remove({ node: nodeId, err: 'INVALID_ARGUMENT' })
      },
      rejected: ({ nodeId, typeUrl }) => {
        const type = typeName(typeUrl)
        rejects.inc({ type })
        rejectedNow.get(type)?.set({ node: nodeId, err: 'INVALID_ARGUMENT' }, 1)
      },
      disconnected: ({ nodeId }) => {
        for (const reject of rejectedNow.values()) reject.remove({ node: nodeId, err: 'INVALID_ARGUMENT' })
      },
      converged: ({ milliseconds }) => convergence.observe(milliseconds / 1000),
    },
    certificates: { requested: () => csrs.inc(), issued: () => issued.inc(), failed: (why) => csrFailures[why].inc() },
    batchApplied: ({ events, waitedMs, applyMs, reasons }) => {
      debounceTime.observe(waitedMs / 1000)
      queueTime.observe((waitedMs + applyMs) / 1000)
      for (const type of reasons) {
        triggers.inc({ type })
        updates.inc({ type }, events)
      }
    },
    configEvent: (kind, operation) => {
      const isRegistry = ['Service', 'EndpointSlice', 'Pod', 'Node'].includes(kind)
      ;(isRegistry ? registryEvents : configEvents).inc({ type: isRegistry ? `${kind}s` : kind, event: operation === 'set' ? 'update' : 'delete' })
    },
    objects: (kind, count) => (kind === 'services' ? services : virtualServices).set(count),
    authority: ({ material }) => {
      rootExpiry.set(inspect(material.rootPem).notAfter.getTime() / 1000)
      chainExpiry.set(inspect(material.certPem).notAfter.getTime() / 1000)
    },
    injection: (outcome, seconds) => {
      injectionRequests.inc()
      injections[outcome].inc()
      injectionTime.observe(seconds)
    },
    validation: (outcome, { group, version, resource }) => validations[outcome].inc({ group, version, resource }),
    webhookPatched: (outcome, name) => {
      patchAttempts.inc({ name })
      if (outcome === 'failed') patchFailures.inc({ name })
    },
    ready: () => startup.set((performance.now() - started) / 1000),
  }
}
