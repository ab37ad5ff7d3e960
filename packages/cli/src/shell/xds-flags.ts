/** istioctl's flags for asking the control plane over xDS instead of through the API server. */
import type { Flag } from './command.ts'

export const XDS_FLAGS: readonly Flag[] = [
  { name: 'xds-address', value: 'HOST:PORT', help: 'ask this control plane over xDS, not those in the cluster ($ISTIOCTL_XDS_ADDRESS)' },
  { name: 'xds-label', value: 'istio.io/rev=REVISION', help: 'only control planes with this label' },
  {
    name: 'cert-dir',
    value: 'DIR',
    help: 'with --xds-address: cert-chain.pem, key.pem and root-cert.pem, instead of a token of the cluster',
  },
  { name: 'authority', value: 'NAME', help: "with --xds-address: the name in the control plane's certificate" },
  { name: 'insecure', help: 'with --xds-address: takes any certificate of the control plane' },
  { name: 'plaintext', help: 'with --xds-address: no TLS' },
  {
    name: 'xds-port',
    value: 'PORT',
    type: 'integer',
    default: 15012,
    hidden: true,
    help: 'accepted; the control plane in the cluster is asked by its own program',
  },
  { name: 'timeout', value: 'DURATION', type: 'duration', default: '30s', help: 'with --xds-address: longest wait for an answer' },
]
