/**
 * Merged metrics: Prometheus scrapes the agent, which adds the application's metrics to the proxy's. Where the application is
 * scraped goes to the agent, and the pod's `prometheus.io/*` annotations point to the agent instead.
 */
import { parseTruth } from '../decide/annotations.ts'
import { findContainer, type Pod, PROXY_CONTAINER, withAnnotations, withContainer } from '../pod/pod.ts'
import type { MeshSettings } from '../settings/injector-config.ts'
import { statusPort } from '../settings/proxy-config.ts'

const MERGE = 'prometheus.istio.io/merge-metrics'

export function mergePrometheus(pod: Pod, mesh: MeshSettings): Pod {
  const scrape = scrapeAnnotation(pod, 'scrape')
  const merge = parseTruth(pod.metadata.annotations?.[MERGE]) ?? mesh.enablePrometheusMerge
  if (!merge || parseTruth(scrape) === false) return pod
  const target = String(statusPort(mesh.defaultConfig))
  const port = scrapeAnnotation(pod, 'port')
  // Already ours, from an earlier injection.
  if (port === target) return pod
  const application = { scrape: scrape ?? '', path: scrapeAnnotation(pod, 'path') ?? '', port: port ?? '' }
  const result = withAnnotations(withoutScrapeAnnotations(pod), {
    'prometheus.io/port': target,
    'prometheus.io/path': '/stats/prometheus',
    'prometheus.io/scrape': 'true',
  })
  if (!findContainer(result, PROXY_CONTAINER) || Object.values(application).every((value) => value === '')) return result
  const setting = { name: 'ISTIO_PROMETHEUS_ANNOTATIONS', value: JSON.stringify(application) }
  return withContainer(result, PROXY_CONTAINER, (c) => ({ ...c, env: [...(c.env ?? []).filter((e) => e.name !== setting.name), setting] }))
}

/** Prometheus makes `_` of other characters: `prometheus.io/port` and `prometheus_io_port` mean the same. */
function scrapeAnnotation(pod: Pod, name: string): string | undefined {
  return Object.entries(pod.metadata.annotations ?? {}).find(([key]) => sanitized(key) === `prometheus_io_${name}`)?.[1]
}

function withoutScrapeAnnotations(pod: Pod): Pod {
  const names = new Set(['scrape', 'path', 'port'].map((name) => `prometheus_io_${name}`))
  const annotations = Object.fromEntries(Object.entries(pod.metadata.annotations ?? {}).filter(([key]) => !names.has(sanitized(key))))
  return { ...pod, metadata: { ...pod.metadata, annotations } }
}

function sanitized(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, '_')
}
