/** The settings of a mesh that nobody has configured. */
import { DEFAULT_SWITCHES, type MeshSettings, meshTraffic } from '../src/index.ts'

export const plainSettings = (domain: string): MeshSettings => ({
  clusterId: 'Kubernetes',
  domain,
  rootNamespace: 'istio-system',
  trustDomain: 'cluster.local',
  trustDomainAliases: [],
  federatedDomains: [],
  mesh: {},
  networks: undefined,
  switches: DEFAULT_SWITCHES,
  traffic: meshTraffic({}, DEFAULT_SWITCHES),
})
