/**
 * The rules that send a pod's traffic through its proxy, in order, for one address family.
 *
 * Enters: a checked {@link CaptureConfig}. Leaves: rules as data; restore.ts renders them, run.ts applies them. The order is
 * the meaning: in ISTIO_OUTPUT, what must not be captured returns before the last rule redirects the rest.
 */
import { AGENT_DNS_PORT, type CaptureConfig, MARK_MODE_AGENT_SOURCE_PORTS, MARK_MODE_CONTROL_PLANE_PORTS, splitList } from './config.ts'
import { type Ranges, splitRanges } from './ranges.ts'

export type Family = 'v4' | 'v6'
export type Table = 'mangle' | 'nat' | 'raw'

export interface Rule {
  readonly table: Table
  readonly chain: string
  /** Match and target, one argument an element. */
  readonly args: readonly string[]
  /** Insert at this place (1 is first) instead of appending. */
  readonly position?: number
}

/** Envoy's connections to the application come from here, so that they are not captured again. */
const INBOUND_SOURCE = { v4: '127.0.0.6/32', v6: '::6/128' } as const
/** In TPROXY mode: the mark of what the proxy itself sends to the pod's own address. */
const OUTBOUND_MARK = '1338'

interface Context {
  readonly config: CaptureConfig
  readonly family: Family
  readonly loopback: string
  /** DNS capture is asked for and there is something to capture. */
  readonly dns: boolean
  readonly include: Ranges
  readonly exclude: Ranges
  /** How the proxy's own packets are matched, one entry for each user, group or mark. */
  readonly owners: readonly Owner[]
}

/** `match`/`unless`: the proxy's packets / all others. `byUser`: the rules differ for users and groups where DNS is captured. */
interface Owner {
  readonly match: readonly string[]
  readonly unless: readonly string[]
  readonly byUser: boolean
}

/** The rules of one family. IPv6 has none unless it is enabled. */
export function captureRules(config: CaptureConfig, family: Family): Rule[] {
  if (family === 'v6' && !config.enableIpv6) return []
  const at: Context = {
    config,
    family,
    loopback: family === 'v4' ? config.hostIpv4LoopbackCidr : '::1/128',
    dns: config.redirectDns && (config.captureAllDns || config.dnsServersV4.length + config.dnsServersV6.length > 0),
    include: splitRanges(config.outboundIpRangesInclude),
    exclude: splitRanges(config.outboundIpRangesExclude),
    owners: ownersOf(config),
  }
  return [
    ...excludedInterfaces(at),
    ...virtualInterfaces(at),
    ...invalidPackets(at),
    nat('ISTIO_INBOUND', ['-p', 'tcp', '--dport', config.inboundTunnelPort, '-j', 'RETURN']),
    nat('ISTIO_REDIRECT', ['-p', 'tcp', '-j', 'REDIRECT', '--to-ports', config.proxyPort]),
    nat('ISTIO_IN_REDIRECT', ['-p', 'tcp', '-j', 'REDIRECT', '--to-ports', config.inboundCapturePort]),
    ...inbound(at),
    nat('OUTPUT', ['-j', 'ISTIO_OUTPUT']),
    ...excludedOutboundPorts(at),
    nat('ISTIO_OUTPUT', ['-o', 'lo', '-s', INBOUND_SOURCE[family], '-j', 'RETURN']),
    ...markModeExemptions(at),
    ...at.owners.flatMap((owner) => ownTraffic(at, owner)),
    ...ownerGroups(at),
    ...(at.dns ? dnsRules(at) : []),
    nat('ISTIO_OUTPUT', ['-d', at.loopback, '-j', 'RETURN']),
    ...at.exclude[family].map((cidr) => nat('ISTIO_OUTPUT', ['-d', cidr, '-j', 'RETURN'])),
    ...splitList(config.outboundPortsInclude).map((port) => nat('ISTIO_OUTPUT', ['-p', 'tcp', '--dport', port, '-j', 'ISTIO_REDIRECT'])),
    ...outboundRanges(at),
    ...tproxyMarks(at),
  ]
}

const nat = (chain: string, args: readonly string[]): Rule => ({ table: 'nat', chain, args })
const mangle = (chain: string, args: readonly string[]): Rule => ({ table: 'mangle', chain, args })
const raw = (chain: string, args: readonly string[]): Rule => ({ table: 'raw', chain, args })
const insert = (position: number, rule: Rule): Rule => ({ ...rule, position })

function ownersOf(config: CaptureConfig): Owner[] {
  if (config.proxyIdentity === 'mark')
    return [{ match: ['-m', 'mark', '--mark', config.proxyMark], unless: ['-m', 'mark', '!', '--mark', config.proxyMark], byUser: true }]
  const owner = (flag: string, id: string): Owner => ({
    match: ['-m', 'owner', flag, id],
    unless: ['-m', 'owner', '!', flag, id],
    byUser: flag === '--uid-owner',
  })
  return [
    ...splitList(config.proxyUid).map((uid) => owner('--uid-owner', uid)),
    ...splitList(config.proxyGid).map((gid) => owner('--gid-owner', gid)),
  ]
}

function excludedInterfaces({ config }: Context): Rule[] {
  const tables = config.inboundInterceptionMode === 'TPROXY' ? [nat, mangle] : [nat]
  return tables.flatMap((rule) =>
    splitList(config.excludeInterfaces).flatMap((name) => [
      rule('PREROUTING', ['-i', name, '-j', 'RETURN']),
      rule('OUTPUT', ['-o', name, '-j', 'RETURN']),
    ]),
  )
}

function virtualInterfaces({ config }: Context): Rule[] {
  return splitList(config.rerouteVirtualInterfaces).map((name) => insert(1, nat('PREROUTING', ['-i', name, '-j', 'RETURN'])))
}

function invalidPackets({ config }: Context): Rule[] {
  if (!config.dropInvalid) return []
  return [mangle('PREROUTING', ['-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'ISTIO_DROP']), mangle('ISTIO_DROP', ['-j', 'DROP'])]
}

function inbound({ config, loopback }: Context): Rule[] {
  if (config.inboundPortsInclude === '') return []
  const tproxy = config.inboundInterceptionMode === 'TPROXY'
  const rule = tproxy ? mangle : nat
  const capture = (match: readonly string[]): Rule[] =>
    tproxy
      ? [
          // Packets of a connection that already has a socket are only routed to it; a new one is handed to the proxy.
          mangle('ISTIO_INBOUND', [...match, '-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED', '-j', 'ISTIO_DIVERT']),
          mangle('ISTIO_INBOUND', [...match, '-j', 'ISTIO_TPROXY']),
        ]
      : [nat('ISTIO_INBOUND', [...match, '-j', 'ISTIO_IN_REDIRECT'])]
  const tproxyChains = [
    mangle('ISTIO_DIVERT', ['-j', 'MARK', '--set-mark', config.inboundTproxyMark]),
    mangle('ISTIO_DIVERT', ['-j', 'ACCEPT']),
    mangle('ISTIO_TPROXY', [
      '!',
      '-d',
      loopback,
      '-p',
      'tcp',
      '-j',
      'TPROXY',
      '--tproxy-mark',
      `${config.inboundTproxyMark}/0xffffffff`,
      '--on-port',
      config.inboundCapturePort,
    ]),
  ]
  const ports = config.inboundPortsInclude === '*' ? undefined : splitList(config.inboundPortsInclude)
  return [
    ...(tproxy ? tproxyChains : []),
    rule('PREROUTING', ['-p', 'tcp', '-j', 'ISTIO_INBOUND']),
    ...(ports
      ? []
      : splitList(config.inboundPortsExclude).map((port) => rule('ISTIO_INBOUND', ['-p', 'tcp', '--dport', port, '-j', 'RETURN']))),
    ...(ports ? ports.flatMap((port) => capture(['-p', 'tcp', '--dport', port])) : capture(['-p', 'tcp'])),
  ]
}

function excludedOutboundPorts({ config }: Context): Rule[] {
  return splitList(config.outboundPortsExclude).flatMap((port) =>
    ['tcp', 'udp'].map((protocol) => nat('ISTIO_OUTPUT', ['-p', protocol, '--dport', port, '-j', 'RETURN'])),
  )
}

function markModeExemptions({ config }: Context): Rule[] {
  if (config.proxyIdentity !== 'mark') return []
  return [
    ...splitList(MARK_MODE_CONTROL_PLANE_PORTS).map((port) => nat('ISTIO_OUTPUT', ['-p', 'tcp', '--dport', port, '-j', 'RETURN'])),
    ...['tcp', 'udp'].map((protocol) => nat('ISTIO_OUTPUT', ['-p', protocol, '--sport', MARK_MODE_AGENT_SOURCE_PORTS, '-j', 'RETURN'])),
  ]
}

function ownTraffic({ config, loopback, dns, include }: Context, owner: Owner): Rule[] {
  // Port 53 over loopback is the agent asking a resolver on this machine: its answer must not come through the proxy's inbound side.
  const tunnel =
    dns && owner.byUser
      ? ['-m', 'multiport', '!', '--dports', `53,${config.inboundTunnelPort}`]
      : ['!', '--dport', config.inboundTunnelPort]
  return [
    // An application that calls itself by Service address: the proxy's outbound side calls its own inbound side.
    nat('ISTIO_OUTPUT', ['-o', 'lo', '!', '-d', loopback, '-p', 'tcp', ...tunnel, ...owner.match, '-j', 'ISTIO_IN_REDIRECT']),
    // An application that calls itself by pod address needs no proxy, unless loopback was asked to be captured.
    ...(include.loopback
      ? []
      : [nat('ISTIO_OUTPUT', ['-o', 'lo', ...(dns ? ['-p', 'tcp', '!', '--dport', '53'] : []), ...owner.unless, '-j', 'RETURN'])]),
    nat('ISTIO_OUTPUT', [...owner.match, '-j', 'RETURN']),
  ]
}

function ownerGroups({ config }: Context): Rule[] {
  if (config.ownerGroupsInclude === '*')
    return splitList(config.ownerGroupsExclude).map((group) => nat('ISTIO_OUTPUT', ['-m', 'owner', '--gid-owner', group, '-j', 'RETURN']))
  const noneOf = splitList(config.ownerGroupsInclude).flatMap((group) => ['-m', 'owner', '!', '--gid-owner', group])
  return [nat('ISTIO_OUTPUT', [...noneOf, '-j', 'RETURN'])]
}

function dnsRules(at: Context): Rule[] {
  const { config, family } = at
  const servers = (family === 'v4' ? config.dnsServersV4 : config.dnsServersV6).map((address) => `${address}/${family === 'v4' ? 32 : 128}`)
  const destinations: (readonly string[])[] = config.captureAllDns ? [[]] : servers.map((server) => ['-d', server])
  const sources: (readonly string[])[] = config.captureAllDns ? [[]] : servers.map((server) => ['-s', server])
  return [
    raw('OUTPUT', ['-j', 'ISTIO_OUTPUT_DNS']),
    ...(destinations.length > 0 ? [nat('ISTIO_OUTPUT', ['-j', 'ISTIO_OUTPUT_DNS'])] : []),
    ...destinations.map((to) =>
      nat('ISTIO_OUTPUT_DNS', ['-p', 'tcp', '--dport', '53', ...to, '-j', 'REDIRECT', '--to-ports', AGENT_DNS_PORT]),
    ),
    ...destinations.map((to) =>
      nat('ISTIO_OUTPUT_DNS', ['-p', 'udp', '--dport', '53', ...to, '-j', 'REDIRECT', '--to-port', AGENT_DNS_PORT]),
    ),
    ...agentZones(at),
    ...(destinations.length > 0 ? [raw('PREROUTING', ['-j', 'ISTIO_INBOUND'])] : []),
    ...destinations.flatMap((to, index) => [
      raw('ISTIO_OUTPUT_DNS', ['-p', 'udp', '--dport', '53', ...to, '-j', 'CT', '--zone', '2']),
      raw('ISTIO_INBOUND', ['-p', 'udp', '--sport', '53', ...(sources[index] ?? []), '-j', 'CT', '--zone', '1']),
    ]),
  ]
}

/**
 * UDP has no connections to tell two askers apart: the agent's own queries are tracked in zone 1, the application's, and the agent's
 * answers to them, in zone 2.
 */
function agentZones({ config, owners }: Context): Rule[] {
  const zone = (number: string, match: readonly string[]) => raw('ISTIO_OUTPUT_DNS', ['-p', 'udp', ...match, '-j', 'CT', '--zone', number])
  // Without marks on the agent's sockets, its queries are known by the ports they come from, its answers by theirs.
  if (config.proxyIdentity === 'mark')
    return [zone('1', ['--sport', MARK_MODE_AGENT_SOURCE_PORTS, '--dport', '53']), zone('2', ['--sport', AGENT_DNS_PORT])]
  return owners.flatMap(({ match }) => [zone('1', ['--dport', '53', ...match]), zone('2', ['--sport', AGENT_DNS_PORT, ...match])])
}

function outboundRanges({ config, family, include }: Context): Rule[] {
  const interfaces = splitList(config.rerouteVirtualInterfaces)
  const fromInterfaces = (match: readonly string[]) =>
    interfaces.map((name) => insert(1, nat('PREROUTING', ['-i', name, ...match, '-j', 'ISTIO_REDIRECT'])))
  if (include.wildcard) return [nat('ISTIO_OUTPUT', ['-j', 'ISTIO_REDIRECT']), ...fromInterfaces([])]
  return include[family].flatMap((cidr) => [...fromInterfaces(['-d', cidr]), nat('ISTIO_OUTPUT', ['-d', cidr, '-j', 'ISTIO_REDIRECT'])])
}

function tproxyMarks({ config, family, loopback, owners }: Context): Rule[] {
  if (config.inboundInterceptionMode !== 'TPROXY') return []
  const mark = config.inboundTproxyMark
  return [
    // The proxy connects to the application with the client's address and this mark; the connection keeps it for the answers.
    mangle('PREROUTING', ['-p', 'tcp', '-m', 'mark', '--mark', mark, '-j', 'CONNMARK', '--save-mark']),
    mangle('OUTPUT', ['-p', 'tcp', '-o', 'lo', '-m', 'mark', '--mark', mark, '-j', 'RETURN']),
    ...owners.map((owner) =>
      mangle('OUTPUT', ['!', '-d', loopback, '-p', 'tcp', '-o', 'lo', ...owner.match, '-j', 'MARK', '--set-mark', OUTBOUND_MARK]),
    ),
    mangle('OUTPUT', ['-p', 'tcp', '-m', 'connmark', '--mark', mark, '-j', 'CONNMARK', '--restore-mark']),
    insert(1, mangle('ISTIO_INBOUND', ['-p', 'tcp', '-m', 'mark', '--mark', mark, '-j', 'RETURN'])),
    insert(2, mangle('ISTIO_INBOUND', ['-p', 'tcp', '-s', INBOUND_SOURCE[family], '-i', 'lo', '-j', 'RETURN'])),
    insert(3, mangle('ISTIO_INBOUND', ['-p', 'tcp', '-i', 'lo', '-m', 'mark', '!', '--mark', OUTBOUND_MARK, '-j', 'RETURN'])),
  ]
}
