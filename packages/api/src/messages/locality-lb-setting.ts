/** How load is spread over regions and zones. */
import { flag, list, map, message, of, type Static, text, uint32 } from '../schema/define.ts'

export const LocalityDistribute = message('LocalityDistribute', {
  from: text('Locality that requests come from: region/zone/sub-zone, each part may be *.'),
  to: map(uint32(), 'Localities and the share in percent that each gets; together 100.'),
})
export interface LocalityDistribute extends Static<typeof LocalityDistribute> {}

export const LocalityFailover = message('LocalityFailover', {
  from: text('Region that requests come from.'),
  to: text('Region that takes over when the local one is unhealthy.'),
})
export interface LocalityFailover extends Static<typeof LocalityFailover> {}

export const LocalityLoadBalancerSetting = message('LocalityLoadBalancerSetting', {
  distribute: list(of(LocalityDistribute), 'Shares by locality; excludes failover and failoverPriority.'),
  failover: list(of(LocalityFailover), 'Regions that replace each other; needs outlier detection.'),
  failoverPriority: list(text(), 'Labels by which endpoints nearer to the client are preferred, most important first.'),
  enabled: flag('Whether locality is looked at; the mesh decides when unset.', { nullable: true }),
})
export interface LocalityLoadBalancerSetting extends Static<typeof LocalityLoadBalancerSetting> {}
