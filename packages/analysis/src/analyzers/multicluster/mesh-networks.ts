/** Networks that name clusters that are not known. */
import type { Analyzer } from '../../analyzer.ts'

/** As the control plane's own ConfigMap is named in messages. */
const MESH_NETWORKS = { kind: 'MeshNetworks', namespace: 'istio-system', name: 'meshnetworks' } as const
const BUILT_IN = ['Mock', 'Kubernetes', 'External']

export const meshNetworks: Analyzer = {
  name: 'meshnetworks.MeshNetworksAnalyzer',
  description: 'Mesh networks that name unknown clusters',
  inputs: ['MeshNetworks', 'Secret'],
  messages: ['UnknownMeshNetworksServiceRegistry'],
  analyze(world, report) {
    const remote = world.of('Secret').filter(({ labels }) => labels['istio/multiCluster'] === 'true')
    const known = new Set([...BUILT_IN, ...remote.flatMap(({ spec }) => Object.keys(spec.data))])
    for (const [network, { endpoints = [] }] of Object.entries(world.settings.meshNetworks.networks ?? {})) {
      for (const { fromRegistry } of endpoints) {
        if (!fromRegistry || known.has(fromRegistry)) continue
        report('UnknownMeshNetworksServiceRegistry', MESH_NETWORKS, { serviceregistry: fromRegistry, network })
      }
    }
  },
}
