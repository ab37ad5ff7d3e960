/** PeerAuthentication: whether incoming connections must use mutual TLS. */
import { WorkloadSelector } from '../../messages/workload-selector.ts'
import { map, message, of, oneOf, type Static } from '../../schema/define.ts'
import { AGE, column, defineKind, versions } from '../kind.ts'

export const MutualTLS = message('MutualTLS', {
  mode: oneOf(['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT'], 'STRICT takes only mutual TLS, PERMISSIVE plain text as well; UNSET inherits.'),
})
export interface MutualTLS extends Static<typeof MutualTLS> {}

export const PeerAuthenticationSpec = message(
  'PeerAuthentication',
  {
    selector: of(WorkloadSelector, 'Workloads that this is for; all of the namespace when unset.'),
    mtls: of(MutualTLS, 'For all ports; inherited from namespace and mesh when unset.'),
    portLevelMtls: map(of(MutualTLS), 'For single ports of the workload, by number; needs a selector.', {
      minProperties: 1,
      numericKeys: true,
      rules: [{ rule: 'self.all(key, 0 < int(key) && int(key) <= 65535)', message: 'a port is between 1 and 65535' }],
    }),
  },
  {
    rules: [
      {
        rule: '(has(self.selector) && has(self.selector.matchLabels) && self.selector.matchLabels.size() > 0) || !has(self.portLevelMtls)',
        message: 'portLevelMtls needs a selector with labels',
      },
    ],
  },
)
export interface PeerAuthenticationSpec extends Static<typeof PeerAuthenticationSpec> {}

export const PeerAuthenticationKind = defineKind({
  group: 'security.istio.io',
  kind: 'PeerAuthentication',
  plural: 'peerauthentications',
  shortNames: ['pa'],
  versions: versions('v1', 'v1beta1'),
  columns: [column('Mode', '.spec.mtls.mode', 'Mutual TLS mode of all ports.'), AGE],
  description: 'Whether incoming connections must use mutual TLS.',
  spec: PeerAuthenticationSpec,
})
