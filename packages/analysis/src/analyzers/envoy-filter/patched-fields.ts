/** Fields in an EnvoyFilter's patches that the patched message does not have: Envoy would never see them. */
import type { EnvoyFilterSpec } from '@lateen/api'
import { ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { TypedExtensionConfigSchema } from '@lateen/envoy/gen/envoy/config/core/v3/extension_pb.js'
import { FilterChainSchema, FilterSchema, ListenerFilterSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_components_pb.js'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { RouteSchema, VirtualHostSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { RouteConfigurationSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'
import { HttpFilterSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { unknownField } from '@lateen/envoy/unknown-field'
import type { Analyzer } from '../../analyzer.ts'

/** What each patch changes. Not here: the bootstrap, which a control plane does not send. */
const PATCHED: Readonly<Record<string, Parameters<typeof unknownField>[0]>> = {
  CLUSTER: ClusterSchema,
  EXTENSION_CONFIG: TypedExtensionConfigSchema,
  FILTER_CHAIN: FilterChainSchema,
  HTTP_FILTER: HttpFilterSchema,
  HTTP_ROUTE: RouteSchema,
  LISTENER: ListenerSchema,
  LISTENER_FILTER: ListenerFilterSchema,
  NETWORK_FILTER: FilterSchema,
  ROUTE_CONFIGURATION: RouteConfigurationSchema,
  VIRTUAL_HOST: VirtualHostSchema,
}

export const patchedFields: Analyzer = {
  name: 'envoyfilter.PatchedFieldsAnalyzer',
  description: 'Fields in EnvoyFilter patches that Envoy does not know',
  inputs: ['EnvoyFilter'],
  messages: ['SchemaWarning'],
  analyze(world, report) {
    for (const filter of world.of('EnvoyFilter')) {
      for (const { err, path } of unknownFields(filter.spec)) report('SchemaWarning', filter, { err }, path)
    }
  },
}

interface Finding {
  readonly err: string
  readonly path: string
}

function unknownFields({ configPatches = [] }: EnvoyFilterSpec): Finding[] {
  return configPatches.flatMap(({ applyTo = 'INVALID', patch }, i) => {
    const schema = PATCHED[applyTo]
    // One without an operation is no patch, which the checks of admission say.
    const found = schema && (patch?.operation ?? 'INVALID') !== 'INVALID' ? unknownField(schema, patch?.value) : undefined
    if (!found) return []
    const err = `Envoy filter: unknown field "${found.field}" in ${found.message}`
    return [{ err, path: `spec.configPatches[${i}].patch.value.${found.path}` }]
  })
}
