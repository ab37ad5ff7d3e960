/** The filter that asks another server: whether it asks can be seen here, what it answers cannot. */
import { ExtAuthzPerRouteSchema, ExtAuthzSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import type { MetadataMatcher } from '@lateen/envoy/gen/envoy/type/matcher/v3/metadata_pb.js'
import { type FilterNotes, metadataMatches } from '../matching/metadata-match.ts'
import { type FilterBranch, type FilterContext, type FilterSettings, GOES_ON, settingsAs } from './filter.ts'
import { policyOrigins } from './rbac-filter.ts'

export function runExtAuthz({ name, config, perRoute }: FilterSettings, { notes }: FilterContext): readonly FilterBranch[] {
  const settings = settingsAs(config, ExtAuthzSchema)
  if (!settings) return GOES_ON
  const override = settingsAs(perRoute, ExtAuthzPerRouteSchema)?.override
  if (override?.case === 'disabled' && override.value) return GOES_ON
  const asked = settings.filterEnabledMetadata ? metadataMatches(settings.filterEnabledMetadata, notes) : true
  if (asked === false) return GOES_ON
  const { services } = settings
  const server =
    services.case === 'grpcService' && services.value.targetSpecifier.case === 'envoyGrpc'
      ? services.value.targetSpecifier.value.clusterName
      : services.case === 'httpService'
        ? (services.value.serverUri?.uri ?? '')
        : ''
  const policy = settings.filterEnabledMetadata && markOf(settings.filterEnabledMetadata, notes)
  const origins = policy === undefined ? [] : policyOrigins(policy)
  const says = `asks ${server || 'another server'}, which decides${policy === undefined ? '' : `, by policy ${policy}`}`
  return [{ share: 1, verdict: { filter: name, result: 'unknown', says, ...(policy !== undefined && { policy }), origins } }]
}

/** The policy that marked the request for this server. */
function markOf({ filter, path }: MetadataMatcher, notes: FilterNotes): string | undefined {
  const [first] = path
  const noted: unknown = notes.get(filter)
  const value: unknown =
    first?.segment.case === 'key' && typeof noted === 'object' && noted !== null ? Reflect.get(noted, first.segment.value) : undefined
  return typeof value === 'string' ? value : undefined
}
