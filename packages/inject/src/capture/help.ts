/** The usage text of `istio-iptables`. */
import { DEFAULT_CAPTURE } from './config.ts'

/** What each flag that has an effect does; those accepted for compatibility alone are not listed. */
const HELP: readonly (readonly [flag: string, text: string])[] = [
  ['-p, --envoy-port PORT', `port to which outgoing connections are redirected (${DEFAULT_CAPTURE.proxyPort})`],
  ['-z, --inbound-capture-port PORT', `port to which incoming connections are redirected (${DEFAULT_CAPTURE.inboundCapturePort})`],
  ['-e, --inbound-tunnel-port PORT', `port of incoming tunnels, left alone (${DEFAULT_CAPTURE.inboundTunnelPort})`],
  ['-u, --proxy-uid UIDS', `user ids of the proxy, whose connections pass (${DEFAULT_CAPTURE.proxyUid})`],
  ['-g, --proxy-gid GIDS', 'group ids of the proxy; the user ids when unset'],
  ['    --proxy-mark MARK', 'tell the proxy by the mark of its sockets, where its user id cannot be mapped'],
  ['-m, --istio-inbound-interception-mode MODE', 'REDIRECT, or TPROXY to keep the address of the caller'],
  ['-b, --istio-inbound-ports PORTS', 'incoming ports to capture: a list, * for all, empty for none'],
  ['-d, --istio-local-exclude-ports PORTS', 'incoming ports to leave alone; only with * above'],
  ['-i, --istio-service-cidr RANGES', 'outgoing destinations to capture: ranges, * for all'],
  ['-x, --istio-service-exclude-cidr RANGES', 'outgoing destinations to leave alone; only with * above'],
  ['-q, --istio-outbound-ports PORTS', 'outgoing ports to capture wherever they go'],
  ['-o, --istio-local-outbound-ports-exclude PORTS', 'outgoing ports to leave alone'],
  ['-c, --istio-exclude-interfaces NAMES', 'network interfaces to leave alone'],
  ['-k, --kube-virt-interfaces NAMES', 'interfaces of virtual machines, whose incoming traffic counts as outgoing'],
  ['-t, --istio-inbound-tproxy-mark MARK', 'mark of packets in TPROXY mode'],
  ['-r, --istio-inbound-tproxy-route-table N', 'routing table of TPROXY mode'],
  ['    --istio-outbound-owner-groups GROUPS', 'only connections of these groups are captured'],
  ['    --istio-outbound-owner-groups-exclude GROUPS', 'connections of these groups are left alone'],
  ['    --redirect-dns', 'send DNS queries to the agent on port 15053'],
  ['    --capture-all-dns', 'queries to every server, not only to those of resolv.conf'],
  ['    --drop-invalid', 'drop packets that belong to no known connection'],
  ['    --dual-stack', 'rules for IPv6 as for IPv4'],
  ['-n, --dry-run', 'print the rules, change nothing'],
  ['    --run-validation', 'try the rules out afterwards'],
  ['    --skip-rule-apply', 'change nothing; with --run-validation, only try them out'],
  ['    --reconcile', 'replace rules that are there and differ'],
  ['    --force-apply', 'apply even when the same rules are there'],
  ['    --cleanup-only', 'remove the rules'],
  ['    --network-namespace PATH', 'the namespace to work in; the current one when unset'],
]

/** The lines of the usage text. */
export function captureHelp(): string[] {
  const width = Math.max(...HELP.map(([flag]) => flag.length))
  return [
    'Sets up the capture of a pod’s traffic: iptables rules that lead connections through the proxy.',
    '',
    'Usage: lateen iptables [flags]',
    '',
    ...HELP.map(([flag, text]) => `  ${flag.padEnd(width)}  ${text}`),
    '  -h, --help'.padEnd(width + 4).concat('this text'),
  ]
}
