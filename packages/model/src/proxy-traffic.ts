/** What of a proxy's own settings changes how it passes requests and connections on. */
import type { MeshProxyConfig, ProxyHeaders } from '@lateen/api'
import { parseDuration } from '@lateen/base'
import type { MeshProxy } from './proxy.ts'
import type { MeshConfigView } from './settings.ts'

export interface ProxyTraffic {
  /** `proxyHeaders` of the ProxyConfig that holds for the proxy. */
  readonly headers: ProxyHeaders
  /** HTTP/1.0 is taken too (`HTTP10` of the node's metadata). */
  readonly http10: boolean
  /** Milliseconds after which an idle connection is closed; undefined for Envoy's own hour. */
  readonly idleTimeout: number | undefined
}

/** Of proxies that bring no settings of their own. */
export function meshTraffic(mesh: MeshConfigView): ProxyTraffic {
  return { headers: mesh.defaultConfig?.proxyHeaders ?? {}, http10: false, idleTimeout: undefined }
}

/** A proxy's own settings; those that it says nothing of are the mesh's as they stand now. */
export function trafficOf(proxy: Pick<MeshProxy, 'proxyConfig' | 'http10' | 'idleTimeout'>, mesh: MeshConfigView): ProxyTraffic {
  return {
    headers: settingOf('proxyHeaders', proxy.proxyConfig, mesh) ?? {},
    http10: proxy.http10,
    idleTimeout: proxy.idleTimeout === undefined ? undefined : parseDuration(proxy.idleTimeout),
  }
}

/** One setting of a proxy: its own, else the mesh's. */
export function settingOf<K extends keyof MeshProxyConfig>(
  name: K,
  own: MeshProxyConfig | undefined,
  mesh: MeshConfigView,
): MeshProxyConfig[K] | undefined {
  return own?.[name] ?? mesh.defaultConfig?.[name]
}
