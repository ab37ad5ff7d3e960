/** Answers scrapers, and counts them. */
import type { AgentSettings } from '../settings/settings.ts'
import { ownPeer } from './call-labels.ts'
import { parseAppMetrics, serveMergedMetrics } from './merged-metrics.ts'
import { type OwnFigures, renderOwnMetrics } from './own-metrics.ts'
import type { StatusServerOptions } from './status-server.ts'

/** @param figures what the agent knows of itself at the moment of a scrape */
export function answerScrapes(
  settings: AgentSettings,
  figures: () => Omit<OwnFigures, 'scrapes' | 'scrapesFailed'>,
): StatusServerOptions['metrics'] {
  const { env, ports } = settings
  const app = parseAppMetrics(env.ISTIO_PROMETHEUS_ANNOTATIONS ?? '', ports.status)
  const workload = ownPeer(settings)
  const scrapesFailed = { envoy: 0, application: 0 }
  let scrapes = 0
  const own = () => renderOwnMetrics({ ...figures(), scrapes, scrapesFailed }, Date.now())
  return (request, response, { ofEnvoy }) => {
    scrapes++
    const parts = { adminPort: ports.admin, workload, ...(ofEnvoy ? { app: undefined } : { app, own }) }
    return serveMergedMetrics(parts, request, response, (part) => scrapesFailed[part]++)
  }
}
