/** The filter that asks another server: whether it asks can be seen here, what it answers cannot. */
import { ExtAuthzPerRouteSchema, ExtAuthzSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import { metadataMatches } from '../matching/metadata-match.ts'
import { type FilterBranch, type FilterContext, type FilterSettings, GOES_ON, settingsAs } from './filter.ts'

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
  return [
    { share: 1, verdict: { filter: name, result: 'unknown', says: `asks ${server || 'another server'}, which decides`, origins: [] } },
  ]
}
