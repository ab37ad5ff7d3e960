/** istioctl's flags for asking the control plane over xDS. They are taken and have no effect: it is asked through the API server. */
import type { Flag } from './command.ts'

export const XDS_FLAGS: readonly Flag[] = [
  ...['authority', 'cert-dir', 'xds-address', 'xds-label'].map((name): Flag => ({ name, value: 'TEXT', hidden: true, help: 'accepted' })),
  { name: 'xds-port', value: 'PORT', type: 'integer', default: 15012, hidden: true, help: 'accepted' },
  { name: 'timeout', value: 'DURATION', type: 'duration', default: '30s', hidden: true, help: 'accepted' },
  { name: 'insecure', hidden: true, help: 'accepted' },
  { name: 'plaintext', hidden: true, help: 'accepted' },
]
