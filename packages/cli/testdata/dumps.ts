/** Config dumps of own writing: only what commands look at. */
import { type ConfigDump, readConfigDump } from '../src/config-dump/dump.ts'

const PREFIX = 'type.googleapis.com/envoy.admin.v3.'

interface Parts {
  readonly clusters?: readonly unknown[]
  readonly listeners?: readonly unknown[]
  readonly routes?: readonly unknown[]
}

export function dumpText({ clusters = [], listeners = [], routes = [] }: Parts): string {
  return JSON.stringify({
    configs: [
      { '@type': `${PREFIX}ClustersConfigDump`, dynamic_active_clusters: clusters.map((cluster) => ({ cluster })) },
      { '@type': `${PREFIX}ListenersConfigDump`, dynamic_listeners: listeners.map((listener) => ({ active_state: { listener } })) },
      { '@type': `${PREFIX}RoutesConfigDump`, dynamic_route_configs: routes.map((route_config) => ({ route_config })) },
    ],
  })
}

export const dumpOf = (parts: Parts): ConfigDump => readConfigDump(dumpText(parts), 'a dump of this test')

/** Istio's mark on a resource: the object that it is made from. */
export const madeFrom = (kind: string, namespace: string, name: string) => ({
  filter_metadata: { istio: { config: `/apis/networking.istio.io/v1/namespaces/${namespace}/${kind}/${name}` } },
})
