/**
 * What traffic of a pod goes through its proxy: the settings of `istio-iptables`, with Istio's defaults.
 *
 * Enters: flags, environment (see flags.ts) or a plain object. Leaves: a complete, checked {@link CaptureConfig}.
 */
import { isIPv4Cidr } from './ranges.ts'

export type InterceptionMode = 'REDIRECT' | 'TPROXY' | ''

/**
 * How the proxy's own traffic is told from the application's: by the user it runs as (`owner`, Istio's way), or by a socket
 * mark (`mark`), for namespaces where only one user id exists and an owner match would be refused by the kernel.
 */
export type ProxyIdentity = 'owner' | 'mark'

export interface CaptureConfig {
  /** Where outbound TCP goes. */
  readonly proxyPort: string
  /** Where inbound TCP goes. */
  readonly inboundCapturePort: string
  /** The tunnel port (HBONE), never captured. */
  readonly inboundTunnelPort: string
  /** User and group ids of the proxy, comma separated. */
  readonly proxyUid: string
  readonly proxyGid: string
  readonly inboundInterceptionMode: InterceptionMode
  readonly inboundTproxyMark: string
  readonly inboundTproxyRouteTable: string
  /** Inbound ports to capture: comma separated, `*` for all, empty for none. */
  readonly inboundPortsInclude: string
  /** Inbound ports to leave alone; only read when all ports are captured. */
  readonly inboundPortsExclude: string
  /** Groups whose outbound traffic is captured, or `*`. */
  readonly ownerGroupsInclude: string
  readonly ownerGroupsExclude: string
  readonly outboundPortsInclude: string
  readonly outboundPortsExclude: string
  /** Destination ranges to capture: comma separated CIDRs, `*` for all, empty for none. */
  readonly outboundIpRangesInclude: string
  readonly outboundIpRangesExclude: string
  /** Virtual machine interfaces whose inbound traffic counts as outbound. */
  readonly rerouteVirtualInterfaces: string
  /** Interfaces whose traffic is never captured. */
  readonly excludeInterfaces: string
  /** Whether DNS queries go to the agent on 15053. */
  readonly redirectDns: boolean
  /** All queries on port 53, rather than those to `dnsServersV4/V6` alone. */
  readonly captureAllDns: boolean
  readonly dnsServersV4: readonly string[]
  readonly dnsServersV6: readonly string[]
  /** Drop packets that connection tracking finds invalid, rather than let them reset connections. */
  readonly dropInvalid: boolean
  readonly enableIpv6: boolean
  readonly hostIpv4LoopbackCidr: string
  readonly proxyIdentity: ProxyIdentity
  /** The mark on the proxy's sockets; only read with `proxyIdentity: 'mark'`. */
  readonly proxyMark: string
}

/** Istio's defaults; with no includes, nothing but the fixed chains is set up. */
export const DEFAULT_CAPTURE: CaptureConfig = {
  proxyPort: '15001',
  inboundCapturePort: '15006',
  inboundTunnelPort: '15008',
  proxyUid: '1337',
  proxyGid: '1337',
  inboundInterceptionMode: '',
  inboundTproxyMark: '1337',
  inboundTproxyRouteTable: '133',
  inboundPortsInclude: '',
  inboundPortsExclude: '',
  ownerGroupsInclude: '*',
  ownerGroupsExclude: '',
  outboundPortsInclude: '',
  outboundPortsExclude: '',
  outboundIpRangesInclude: '',
  outboundIpRangesExclude: '',
  rerouteVirtualInterfaces: '',
  excludeInterfaces: '',
  redirectDns: false,
  captureAllDns: false,
  dnsServersV4: [],
  dnsServersV6: [],
  dropInvalid: false,
  enableIpv6: false,
  hostIpv4LoopbackCidr: '127.0.0.1/32',
  proxyIdentity: 'owner',
  proxyMark: '1337',
}

/**
 * Ports and source ports that are left alone in mark mode. The agent cannot mark its sockets, so it is told from the
 * application by where it calls (the control plane) and by where its upstream DNS queries come from.
 */
export const MARK_MODE_CONTROL_PLANE_PORTS = '15010,15012'
export const MARK_MODE_AGENT_SOURCE_PORTS = '15100:15163'

/** Where the agent answers DNS. */
export const AGENT_DNS_PORT = '15053'

/** More owner groups than this cannot be matched in one rule. */
const MAX_OWNER_GROUPS = 64

/** The parts of a comma separated list, empty parts left out. */
export function splitList(list: string): string[] {
  return list.split(',').filter((part) => part !== '')
}

/** Everything that is wrong with a configuration, in sentences; empty when it can be applied. */
export function checkCapture(config: CaptureConfig): string[] {
  return [...checkPorts(config), ...checkOwners(config), ...checkModes(config), ...checkInterfaces(config)]
}

function checkPorts(config: CaptureConfig): string[] {
  const lists: [string, string, string][] = [
    ['--envoy-port', config.proxyPort, ''],
    ['--inbound-capture-port', config.inboundCapturePort, ''],
    ['--inbound-tunnel-port', config.inboundTunnelPort, ''],
    ['--istio-inbound-ports', config.inboundPortsInclude, '*'],
    ['--istio-local-exclude-ports', config.inboundPortsExclude, ''],
    ['--istio-outbound-ports', config.outboundPortsInclude, ''],
    ['--istio-local-outbound-ports-exclude', config.outboundPortsExclude, ''],
  ]
  return lists.flatMap(([flag, value, wildcard]) =>
    wildcard !== '' && value === wildcard
      ? []
      : splitList(value)
          .filter((port) => !isPortOrRange(port))
          .map((port) => `${flag}: "${port}" is no port; give numbers from 0 to 65535 separated by commas${wildcard ? ', or *' : ''}`),
  )
}

function checkOwners(config: CaptureConfig): string[] {
  const problems: string[] = []
  const include = splitList(config.ownerGroupsInclude)
  if (config.ownerGroupsInclude !== '*' && config.ownerGroupsExclude !== '')
    problems.push('ISTIO_OUTBOUND_OWNER_GROUPS and ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE are both set; leave one of them out')
  if (include.length > MAX_OWNER_GROUPS)
    problems.push(`ISTIO_OUTBOUND_OWNER_GROUPS names ${include.length} groups; at most ${MAX_OWNER_GROUPS} are possible`)
  const lists = [config.ownerGroupsInclude, config.ownerGroupsExclude, config.proxyUid, config.proxyGid]
  for (const name of new Set(lists.flatMap(splitList)))
    if (name !== '*' && !/^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$/.test(name)) problems.push(`"${name}" is no user or group name or id`)
  return problems
}

function checkModes(config: CaptureConfig): string[] {
  const problems: string[] = []
  if (!['REDIRECT', 'TPROXY', ''].includes(config.inboundInterceptionMode))
    problems.push(`--istio-inbound-interception-mode: "${config.inboundInterceptionMode}" is neither REDIRECT nor TPROXY`)
  if (config.outboundIpRangesExclude === '*')
    problems.push('--istio-service-exclude-cidr: "*" would leave nothing to capture; set --istio-service-cidr="" instead')
  if (!isIPv4Cidr(config.hostIpv4LoopbackCidr) || !config.hostIpv4LoopbackCidr.startsWith('127.'))
    problems.push(`ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR: "${config.hostIpv4LoopbackCidr}" is no range within 127.0.0.0/8`)
  if (config.proxyIdentity === 'mark' && config.inboundInterceptionMode === 'TPROXY')
    problems.push('TPROXY needs the proxy to have a user id of its own; without one (rootless), use REDIRECT')
  for (const [name, mark] of [
    ['--istio-inbound-tproxy-mark', config.inboundTproxyMark],
    ['--istio-inbound-tproxy-route-table', config.inboundTproxyRouteTable],
    ['the proxy mark', config.proxyMark],
  ] as const)
    if (!/^[0-9]{1,10}$/.test(mark)) problems.push(`${name}: "${mark}" is no number`)
  return problems
}

function checkInterfaces(config: CaptureConfig): string[] {
  return [...splitList(config.excludeInterfaces), ...splitList(config.rerouteVirtualInterfaces)]
    .filter((name) => !/^[^\s/!]{1,15}$/.test(name))
    .map((name) => `"${name}" is no network interface name (at most 15 characters, no spaces or slashes)`)
}

function isPortOrRange(text: string): boolean {
  return /^[0-9]{1,5}$/.test(text) && Number(text) <= 65535
}
