import { expect, test } from 'vitest'
import { ClusterSchema } from '../gen/envoy/config/cluster/v3/cluster_pb.js'
import { FilterSchema } from '../gen/envoy/config/listener/v3/listener_components_pb.js'
import { RouteConfigurationSchema } from '../gen/envoy/config/route/v3/route_pb.js'
import { unknownField } from './unknown-field.ts'

test.each([
  ['names of fields in either form', ClusterSchema, { connect_timeout: '1s', lbPolicy: 'RANDOM' }, undefined],
  ['a field of another message', ClusterSchema, { typed_config: {} }, 'envoy.config.cluster.v3.Cluster typed_config'],
  [
    'in lists',
    RouteConfigurationSchema,
    { virtual_hosts: [{ name: 'a' }, { name: 'b', routes: [{ macth: {} }] }] },
    'envoy.config.route.v3.Route virtual_hosts[1].routes[0].macth',
  ],
  [
    'in maps',
    ClusterSchema,
    { metadata: { filter_metadata: { lateen: { anything: 1 } }, typo: 1 } },
    'envoy.config.core.v3.Metadata metadata.typo',
  ],
  ['but not inside an Any', FilterSchema, { name: 'a', typed_config: { '@type': 'type.googleapis.com/x.Y', any: 1 } }, undefined],
  ['nor in values of a wrong type', RouteConfigurationSchema, { virtual_hosts: 'none', name: { a: 1 } }, undefined],
  ['nor in what is no object', ClusterSchema, ['typed_config'], undefined],
])('%s', (_, schema, value, expected) => {
  const found = unknownField(schema, value)
  expect(found && `${found.message} ${found.path}`).toBe(expected)
})
