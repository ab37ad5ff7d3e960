/** The agent's own few metrics, in Prometheus' text form. */
import { ISTIO_VERSION } from '../settings/node-metadata.ts'

export interface OwnFigures {
  readonly startedAt: number
  readonly restarts: number
  /** Milliseconds of the epoch; absent while there is no certificate. */
  readonly certificateEnds?: number
  readonly renewed: number
  readonly renewalsFailed: number
  readonly scrapesFailed: Readonly<Record<'envoy' | 'application', number>>
  readonly scrapes: number
  readonly dns?: { readonly requests: number; readonly forwarded: number; readonly failed: number }
}

/** All of them; names are Istio's where Istio has one. */
export function renderOwnMetrics(figures: OwnFigures, now: number): string {
  const lines: string[] = []
  const add = (name: string, type: 'counter' | 'gauge', help: string, ...values: readonly (readonly [labels: string, value: number])[]) => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...values.map(([labels, value]) => `${name}${labels} ${value}`))
  }
  add('istio_build', 'gauge', 'Version of the agent.', [`{component="proxy",tag="${ISTIO_VERSION}"}`, 1])
  add('lateen_agent_uptime_seconds', 'gauge', 'Seconds since the agent started.', ['', (now - figures.startedAt) / 1000])
  add('istio_agent_scrapes_total', 'counter', 'Scrapes answered.', ['', figures.scrapes])
  add(
    'istio_agent_scrape_failures_total',
    'counter',
    'Parts of scrapes that could not be had.',
    ['{type="envoy"}', figures.scrapesFailed.envoy],
    ['{type="application"}', figures.scrapesFailed.application],
  )
  add('istio_agent_num_outgoing_requests', 'counter', 'Certificates got from the CA.', ['{request_type="csr"}', figures.renewed])
  add('istio_agent_num_failed_outgoing_requests', 'counter', 'Attempts to get a certificate that failed.', [
    '{request_type="csr"}',
    figures.renewalsFailed,
  ])
  if (figures.certificateEnds !== undefined) {
    const seconds = (figures.certificateEnds - now) / 1000
    add('istio_agent_cert_expiry_seconds', 'gauge', 'Seconds until the workload certificate ends.', ['{resource_name="default"}', seconds])
  }
  add('lateen_agent_envoy_restarts_total', 'counter', 'Times that Envoy was started again.', ['', figures.restarts])
  if (figures.dns) {
    add('istio_agent_dns_requests_total', 'counter', 'DNS queries received.', ['', figures.dns.requests])
    add('istio_agent_dns_upstream_requests_total', 'counter', 'DNS queries forwarded.', ['', figures.dns.forwarded])
    add('istio_agent_dns_upstream_failures_total', 'counter', 'Forwarded DNS queries without an answer.', ['', figures.dns.failed])
  }
  add('process_resident_memory_bytes', 'gauge', 'Resident memory of the agent.', ['', process.memoryUsage.rss()])
  return `${lines.join('\n')}\n`
}
