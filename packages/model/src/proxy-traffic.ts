/** What of a proxy's own settings changes how it passes requests and connections on. */
import type { MeshProxyConfig, ProxyHeaders } from '@lateen/api'
import { parseDuration } from '@lateen/base'
import type { MeshProxy } from './proxy.ts'
import type { MeshConfigView, MeshSettings, MeshSwitches } from './settings.ts'

export interface ProxyTraffic {
  /** `proxyHeaders` of the ProxyConfig that holds for the proxy. */
  readonly headers: ProxyHeaders
  /** HTTP/1.0 is taken too (`HTTP10` of the node's metadata, or a switch for all). */
  readonly http10: boolean
  /** Each new connection goes to the worker that has the fewest. */
  readonly exactBalance: MeshProxy['exactBalance']
  /** Milliseconds after which an idle connection is closed; undefined for Envoy's own hour. */
  readonly idleTimeout: number | undefined
}

/** Of proxies that bring no settings of their own. */
export function meshTraffic(mesh: MeshConfigView, switches: MeshSwitches): ProxyTraffic {
  return {
    headers: mesh.defaultConfig?.proxyHeaders ?? {},
    http10: switches.http10,
    exactBalance: { inbound: false, outbound: false },
    idleTimeout: undefined,
  }
}

/** A proxy's own settings; those that it says nothing of are the mesh's as they stand now. */
export function trafficOf(
  proxy: Pick<MeshProxy, 'proxyConfig' | 'http10' | 'exactBalance' | 'idleTimeout'>,
  { mesh, switches }: Pick<MeshSettings, 'mesh' | 'switches'>,
): ProxyTraffic {
  return {
    headers: settingOf('proxyHeaders', proxy.proxyConfig, mesh) ?? {},
    http10: proxy.http10 || switches.http10,
    exactBalance: proxy.exactBalance,
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
