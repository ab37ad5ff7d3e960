/** WorkloadEntry: one workload outside Kubernetes; also an endpoint of a ServiceEntry. */
import { map, message, type Static, text, uint32 } from '../../schema/define.ts'
import type { CelRule } from '../../schema/node.ts'
import { AGE, column, defineKind, versions } from '../kind.ts'

const PORT_NAMES: CelRule = {
  rule: "self.all(key, size(key) <= 63 && key.matches('^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$'))",
  message: 'a port name has at most 63 letters, digits and dashes',
}
const PORT_NUMBER: CelRule = { rule: '0 < self && self <= 65535', message: 'a port is between 1 and 65535' }

/** What an API server asks of an address; for every message of this form but a WorkloadGroup's template. */
export const ADDRESS_RULES: readonly CelRule[] = [
  { rule: 'has(self.address) || has(self.network)', message: 'address is required unless network is set' },
]

const SOCKET_RULES: readonly CelRule[] = [
  {
    rule: "!(has(self.address) && self.address.startsWith('unix://')) || (self.address.substring(7, 8) == '/' || self.address.substring(7, 8) == '@')",
    message: 'a unix socket is an absolute path or begins with @',
  },
  {
    rule: "!(has(self.address) && self.address.startsWith('unix://') && self.address.endsWith('/'))",
    message: 'a unix socket must not be a directory',
  },
  { rule: "!(has(self.address) && self.address.startsWith('unix://') && has(self.ports))", message: 'a unix socket has no ports' },
]

export const WorkloadEntrySpec = message(
  'WorkloadEntry',
  {
    address: text('IP address, DNS name or unix:// socket; may be left out when network is set.', { maxLength: 256 }),
    ports: map(uint32(undefined, { rules: [PORT_NUMBER] }), 'Ports by name, where they differ from those of the service.', {
      maxProperties: 128,
      rules: [PORT_NAMES],
    }),
    labels: map(text(), 'Labels of the workload.', { maxProperties: 256 }),
    network: text('Network that the workload is in; the workloads of one network reach each other directly.', { maxLength: 2048 }),
    locality: text('region/zone/sub-zone of the workload.', { maxLength: 2048 }),
    weight: uint32('Share of the load, in proportion to the other weights.'),
    serviceAccount: text('Service account of the workload, in its own namespace.', { maxLength: 253 }),
  },
  { rules: SOCKET_RULES },
)
export interface WorkloadEntrySpec extends Static<typeof WorkloadEntrySpec> {}

export const WorkloadEntryKind = defineKind({
  group: 'networking.istio.io',
  kind: 'WorkloadEntry',
  plural: 'workloadentries',
  shortNames: ['we'],
  versions: versions('v1', 'v1alpha3', 'v1beta1'),
  columns: [AGE, column('Address', '.spec.address', 'Address of the workload.')],
  description: 'One workload outside Kubernetes, such as a virtual machine.',
  spec: { node: { ...WorkloadEntrySpec.node, rules: [...ADDRESS_RULES, ...SOCKET_RULES] } },
  specRequired: true,
})
