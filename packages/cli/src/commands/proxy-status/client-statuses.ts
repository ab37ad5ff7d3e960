/** The states of proxies as data: a discovery response with Envoy's `ClientConfig` of each, as istioctl prints it. */
import type { ProxyState, TypeState } from './sync-status.ts'

export interface ClientStatuses {
  readonly resources: readonly ClientConfig[]
  readonly typeUrl: string
  readonly controlPlane?: { readonly identifier: string }
}

interface ClientConfig {
  readonly '@type': string
  readonly node: { readonly id: string; readonly metadata: Readonly<Record<string, string>> }
  readonly genericXdsConfigs: readonly {
    readonly typeUrl: string
    readonly lastUpdated?: string
    readonly configStatus: string
    readonly errorState?: { readonly details: string }
  }[]
}

export function clientStatuses(proxies: readonly ProxyState[]): ClientStatuses {
  const istiod = proxies.at(0)?.istiod
  return {
    resources: proxies.map(({ proxy, cluster, version, types }) => ({
      '@type': 'type.googleapis.com/envoy.service.status.v3.ClientConfig',
      node: { id: proxy, metadata: { CLUSTER_ID: cluster, ISTIO_VERSION: version } },
      genericXdsConfigs: types.map(({ typeUrl, sentAt, error, ...type }) => ({
        typeUrl,
        ...(sentAt && { lastUpdated: sentAt }),
        configStatus: statusOf({ typeUrl, ...type }, error),
        ...(error && { errorState: { details: error } }),
      })),
    })),
    typeUrl: 'istio.io/debug/syncz',
    ...(istiod && { controlPlane: { identifier: JSON.stringify({ Component: 'istiod', ID: istiod }) } }),
  }
}

function statusOf({ state }: TypeState, error: string | undefined): string {
  if (error) return 'ERROR'
  if (state === 'NOT SENT') return 'NOT_SENT'
  return state === 'SYNCED' ? 'SYNCED' : 'STALE'
}
