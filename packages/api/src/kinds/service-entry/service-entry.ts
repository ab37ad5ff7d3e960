/** ServiceEntry: a service that Kubernetes does not know. */
import { NetworkingWorkloadSelector } from '../../messages/workload-selector.ts'
import { list, message, of, oneOf, required, type Static, text, uint32 } from '../../schema/define.ts'
import type { CelRule } from '../../schema/node.ts'
import { AGE, column, defineKind, versions } from '../kind.ts'
import { ADDRESS_RULES, WorkloadEntrySpec } from '../workload-entry/workload-entry.ts'

const PORT_NUMBER: CelRule = { rule: '0 < self && self <= 65535', message: 'a port is between 1 and 65535' }

export const ServicePort = message('ServicePort', {
  number: required(uint32('Number of the port, 1 to 65535.', { rules: [PORT_NUMBER] })),
  protocol: text('HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS.', { maxLength: 256 }),
  name: required(text('Name of the port, unique within the object.', { maxLength: 256 })),
  targetPort: uint32('Port of the endpoints, when it differs.', { rules: [PORT_NUMBER] }),
})
export interface ServicePort extends Static<typeof ServicePort> {}

const RULES: readonly CelRule[] = [
  {
    rule: '(has(self.workloadSelector) ? 1 : 0) + (has(self.endpoints) ? 1 : 0) <= 1',
    message: 'at most one of workloadSelector, endpoints may be set',
  },
  {
    rule: "!((has(self.resolution) ? self.resolution : 'NONE') != 'NONE' && self.resolution != 'STATIC' && has(self.addresses) && self.addresses.exists(k, k.contains('/')))",
    message: 'address ranges (CIDR) are allowed only for resolution NONE or STATIC',
  },
  {
    rule: "(has(self.resolution) ? self.resolution : 'NONE') != 'NONE' || !has(self.endpoints)",
    message: 'resolution NONE has no endpoints',
  },
  {
    rule: "(has(self.resolution) ? self.resolution : '') != 'DNS_ROUND_ROBIN' || (has(self.endpoints) ? self.endpoints : []).size() <= 1",
    message: 'resolution DNS_ROUND_ROBIN has at most one endpoint',
  },
]

export const ServiceEntrySpec = message(
  'ServiceEntry',
  {
    hosts: required(
      list(
        text(undefined, { rules: [{ rule: "self != '*'", message: 'a host must not be the wildcard * alone' }] }),
        'DNS names of the service, with a leading * as wildcard.',
        {
          minItems: 1,
          maxItems: 256,
        },
      ),
    ),
    addresses: list(text(undefined, { maxLength: 64 }), 'Virtual addresses (IP or CIDR) of the service.', { maxItems: 256 }),
    ports: list(of(ServicePort), 'Ports of the service.', {
      maxItems: 256,
      mapKeys: ['name'],
      rules: [{ rule: 'self.all(l1, self.exists_one(l2, l1.number == l2.number))', message: 'a port number may appear only once' }],
    }),
    location: oneOf(['MESH_EXTERNAL', 'MESH_INTERNAL'], 'Whether the service is part of the mesh.'),
    resolution: oneOf(['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'], 'How addresses of the endpoints are found.'),
    endpoints: list(of(WorkloadEntrySpec, undefined, { rules: ADDRESS_RULES }), 'Endpoints of the service.', { maxItems: 4096 }),
    workloadSelector: of(
      NetworkingWorkloadSelector,
      'Pods and WorkloadEntries of the namespace that are the endpoints; excludes endpoints.',
    ),
    exportTo: list(text(), 'Namespaces that see the object: names, "." for the own one, "*" for all (the default).'),
    subjectAltNames: list(text(), "Names of which the server's certificate must carry one."),
  },
  { rules: RULES },
)
export interface ServiceEntrySpec extends Static<typeof ServiceEntrySpec> {}

export const ServiceEntryKind = defineKind({
  group: 'networking.istio.io',
  kind: 'ServiceEntry',
  plural: 'serviceentries',
  shortNames: ['se'],
  versions: versions('v1', 'v1alpha3', 'v1beta1'),
  columns: [
    column('Hosts', '.spec.hosts', 'DNS names of the service.'),
    column('Location', '.spec.location', 'Whether the service is part of the mesh.'),
    column('Resolution', '.spec.resolution', 'How addresses of the endpoints are found.'),
    AGE,
  ],
  description: 'A service that Kubernetes does not know.',
  spec: ServiceEntrySpec,
  specRequired: true,
})
