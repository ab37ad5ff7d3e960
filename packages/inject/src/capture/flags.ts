/**
 * Command line and environment of `istio-iptables`: the same names, short forms and variables.
 *
 * A flag wins over its variable, which is the flag's name in capitals with `_` for `-` (some have an older second name), and that over
 * the default. A flag that is given empty counts as given.
 */
import { parseDuration } from '@lateen/base'
import { type CaptureConfig, checkCapture, DEFAULT_CAPTURE, type InterceptionMode } from './config.ts'

export interface CaptureOptions {
  readonly config: CaptureConfig
  /** Print the rules, change nothing. */
  readonly dryRun: boolean
  /** Do not set rules up: the CNI plugin did. */
  readonly skipRuleApply: boolean
  /** Check that a connection really arrives at the proxy's port. */
  readonly runValidation: boolean
  /** Replace rules that another configuration left behind. */
  readonly reconcile: boolean
  readonly cleanupOnly: boolean
  /** Apply even where everything seems to be in place. */
  readonly forceApply: boolean
  /** Capture IPv6 as well where the pod has addresses of both families. */
  readonly dualStack: boolean
  /** Path or name of the network namespace to work in; empty for the current one. */
  readonly networkNamespace: string
  readonly probePort: number
  /** Milliseconds. */
  readonly probeTimeout: number
  /** Whether the command line or environment said who the proxy is; else the machine decides. */
  readonly identityGiven: boolean
}

interface Flag {
  readonly name: string
  readonly short?: string
  readonly bool?: true
  readonly env?: readonly string[]
  /** Accepted for compatibility; has no effect here. */
  readonly ignored?: true
}

const FLAGS: readonly Flag[] = [
  { name: 'envoy-port', short: 'p' },
  { name: 'inbound-capture-port', short: 'z' },
  { name: 'inbound-tunnel-port', short: 'e' },
  { name: 'proxy-uid', short: 'u' },
  { name: 'proxy-gid', short: 'g' },
  { name: 'istio-inbound-interception-mode', short: 'm', env: ['INBOUND_INTERCEPTION_MODE'] },
  { name: 'istio-inbound-ports', short: 'b' },
  { name: 'istio-local-exclude-ports', short: 'd' },
  { name: 'istio-exclude-interfaces', short: 'c' },
  { name: 'istio-service-cidr', short: 'i' },
  { name: 'istio-service-exclude-cidr', short: 'x' },
  { name: 'istio-outbound-ports', short: 'q' },
  { name: 'istio-local-outbound-ports-exclude', short: 'o' },
  { name: 'kube-virt-interfaces', short: 'k', env: ['REROUTE_VIRTUAL_INTERFACES', 'ISTIO_REROUTE_VIRTUAL_INTERFACES'] },
  { name: 'istio-inbound-tproxy-mark', short: 't', env: ['INBOUND_TPROXY_MARK'] },
  { name: 'istio-inbound-tproxy-route-table', short: 'r' },
  { name: 'istio-outbound-owner-groups' },
  { name: 'istio-outbound-owner-groups-exclude' },
  { name: 'istio-outbound-ipv4-loopback-cidr' },
  { name: 'dry-run', short: 'n', bool: true },
  { name: 'iptables-probe-port' },
  { name: 'probe-timeout' },
  { name: 'skip-rule-apply', bool: true },
  { name: 'run-validation', bool: true },
  { name: 'redirect-dns', bool: true, env: ['ISTIO_META_DNS_CAPTURE'] },
  { name: 'drop-invalid', bool: true, env: ['INVALID_DROP'] },
  { name: 'dual-stack', bool: true, env: ['ISTIO_DUAL_STACK', 'ISTIO_AGENT_DUAL_STACK'] },
  { name: 'capture-all-dns', bool: true },
  { name: 'network-namespace' },
  { name: 'reconcile', bool: true },
  { name: 'cleanup-only', bool: true },
  { name: 'force-apply', bool: true },
  { name: 'proxy-mark', env: ['LATEEN_PROXY_MARK'] },
  { name: 'cni-mode', bool: true, ignored: true },
  { name: 'restore-format', short: 'f', bool: true, ignored: true },
  { name: 'iptables-trace-logging', bool: true, ignored: true },
  { name: 'native-nftables', bool: true, ignored: true },
  { name: 'host-nsenter-exec', bool: true, ignored: true },
  { name: 'iptables-version', ignored: true },
  { name: 'log_as_json', bool: true, ignored: true },
  { name: 'log_caller', ignored: true },
  { name: 'log_output_level', ignored: true },
  { name: 'log_stacktrace_level', ignored: true },
  { name: 'log_target', ignored: true },
  { name: 'vklog', ignored: true },
]

/** Names under which newer and older versions know a flag. */
const ALIASES: Readonly<Record<string, string>> = { 'reroute-virtual-interfaces': 'kube-virt-interfaces', clean: 'cleanup-only' }

export type ParsedCapture = { readonly options: CaptureOptions } | { readonly problems: readonly string[] }

/** Options from arguments (without the program's name) and environment, or everything that is wrong with them. */
export function parseCaptureFlags(argv: readonly string[], env: Readonly<Record<string, string | undefined>> = {}): ParsedCapture {
  const { values, problems } = readArguments(argv)
  const read = (name: string): string | undefined => values.get(name) ?? fromEnvironment(name, env)
  const text = (name: string, fallback: string) => read(name) ?? fallback
  const flag = (name: string) => {
    const value = read(name)
    if (value !== undefined && !['true', 'false', '1', '0', ''].includes(value))
      problems.push(`--${name}: "${value}" is neither true nor false`)
    return value === 'true' || value === '1'
  }
  const uid = text('proxy-uid', '') || DEFAULT_CAPTURE.proxyUid
  const mark = read('proxy-mark')
  const config: CaptureConfig = {
    ...DEFAULT_CAPTURE,
    proxyPort: text('envoy-port', DEFAULT_CAPTURE.proxyPort),
    inboundCapturePort: text('inbound-capture-port', DEFAULT_CAPTURE.inboundCapturePort),
    inboundTunnelPort: text('inbound-tunnel-port', DEFAULT_CAPTURE.inboundTunnelPort),
    proxyUid: uid,
    proxyGid: text('proxy-gid', '') || uid,
    // Checked with everything else below.
    inboundInterceptionMode: text('istio-inbound-interception-mode', '') as InterceptionMode,
    inboundTproxyMark: text('istio-inbound-tproxy-mark', '') || DEFAULT_CAPTURE.inboundTproxyMark,
    inboundTproxyRouteTable: text('istio-inbound-tproxy-route-table', '') || DEFAULT_CAPTURE.inboundTproxyRouteTable,
    inboundPortsInclude: text('istio-inbound-ports', ''),
    inboundPortsExclude: text('istio-local-exclude-ports', ''),
    ownerGroupsInclude: text('istio-outbound-owner-groups', DEFAULT_CAPTURE.ownerGroupsInclude),
    ownerGroupsExclude: text('istio-outbound-owner-groups-exclude', ''),
    outboundPortsInclude: text('istio-outbound-ports', ''),
    outboundPortsExclude: text('istio-local-outbound-ports-exclude', ''),
    outboundIpRangesInclude: text('istio-service-cidr', ''),
    outboundIpRangesExclude: text('istio-service-exclude-cidr', ''),
    rerouteVirtualInterfaces: text('kube-virt-interfaces', ''),
    excludeInterfaces: text('istio-exclude-interfaces', ''),
    redirectDns: flag('redirect-dns'),
    captureAllDns: flag('capture-all-dns'),
    dropInvalid: flag('drop-invalid'),
    hostIpv4LoopbackCidr: text('istio-outbound-ipv4-loopback-cidr', DEFAULT_CAPTURE.hostIpv4LoopbackCidr),
    ...(mark ? { proxyIdentity: 'mark' as const, proxyMark: mark } : {}),
  }
  const probePort = Number(text('iptables-probe-port', '15002'))
  if (!Number.isInteger(probePort) || probePort < 1 || probePort > 65535)
    problems.push(`--iptables-probe-port: "${text('iptables-probe-port', '')}" is no port`)
  const probeTimeout = parseDuration(text('probe-timeout', '5s'))
  if (probeTimeout === undefined) problems.push(`--probe-timeout: "${text('probe-timeout', '')}" is no duration such as 5s`)
  const options: CaptureOptions = {
    config,
    dryRun: flag('dry-run'),
    skipRuleApply: flag('skip-rule-apply'),
    runValidation: flag('run-validation'),
    reconcile: flag('reconcile'),
    cleanupOnly: flag('cleanup-only'),
    forceApply: flag('force-apply'),
    dualStack: flag('dual-stack'),
    networkNamespace: text('network-namespace', ''),
    probePort,
    probeTimeout: probeTimeout ?? 0,
    identityGiven: mark !== undefined,
  }
  const all = [...problems, ...checkCapture(config)]
  return all.length > 0 ? { problems: all } : { options }
}

function readArguments(argv: readonly string[]): { readonly values: Map<string, string>; readonly problems: string[] } {
  const values = new Map<string, string>()
  const problems: string[] = []
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? ''
    const parsed = splitArgument(argument)
    if (!parsed) {
      problems.push(
        argument.startsWith('-') ? `unknown flag ${argument}; see --help` : `"${argument}" is no flag; istio-iptables takes flags only`,
      )
      continue
    }
    const { flag, value } = parsed
    if (value !== undefined) values.set(flag.name, value)
    else if (flag.bool) values.set(flag.name, 'true')
    else if (index + 1 >= argv.length) problems.push(`--${flag.name} needs a value`)
    else values.set(flag.name, argv[++index] ?? '')
  }
  return { values, problems }
}

/** `--name`, `--name=value`, `-p`, `-p=value`, `-pvalue`. */
function splitArgument(argument: string): { readonly flag: Flag; readonly value: string | undefined } | undefined {
  if (argument.startsWith('--')) {
    const [name = '', ...rest] = argument.slice(2).split('=')
    const flag = FLAGS.find((one) => one.name === (Object.hasOwn(ALIASES, name) ? ALIASES[name] : name))
    return flag && { flag, value: rest.length > 0 ? rest.join('=') : undefined }
  }
  const flag = argument.startsWith('-') ? FLAGS.find((one) => one.short !== undefined && one.short === argument[1]) : undefined
  if (!flag) return undefined
  const rest = argument.slice(2)
  return { flag, value: rest === '' ? undefined : rest.replace(/^=/, '') }
}

function fromEnvironment(name: string, env: Readonly<Record<string, string | undefined>>): string | undefined {
  const flag = FLAGS.find((one) => one.name === name)
  const names = [name.toUpperCase().replaceAll('-', '_'), ...(flag?.env ?? [])]
  return names.map((variable) => env[variable]).find((value) => value !== undefined && value !== '')
}

/** What the flags cannot say, but the pod's network can. */
export interface MachineFacts {
  /** Addresses of all interfaces. */
  readonly addresses: readonly string[]
  /** Text of `/etc/resolv.conf`. */
  readonly resolvConf: string
  /** Text of `/proc/self/uid_map`. */
  readonly uidMap: string
}

/** The configuration with what the machine decides: IPv6, DNS servers, and how the proxy is known where its user id does not exist. */
export function withMachineFacts(options: CaptureOptions, facts: MachineFacts): CaptureConfig {
  const { config } = options
  const usable = facts.addresses.filter((address) => !/^(127\.|169\.254\.|::1$|fe80:)/i.test(address))
  const considered = options.dualStack ? usable : usable.slice(0, 1)
  const servers = config.redirectDns && !config.captureAllDns ? nameservers(facts.resolvConf) : []
  const unmapped = config.proxyUid.split(',').some((uid) => /^[0-9]+$/.test(uid) && !isMapped(facts.uidMap, Number(uid)))
  return {
    ...config,
    enableIpv6: considered.some((address) => address.includes(':')),
    dnsServersV4: servers.filter((server) => !server.includes(':')),
    dnsServersV6: servers.filter((server) => server.includes(':')),
    proxyIdentity: !options.identityGiven && unmapped ? 'mark' : config.proxyIdentity,
  }
}

function nameservers(resolvConf: string): string[] {
  return resolvConf.split('\n').flatMap((line) => {
    const address = /^\s*nameserver\s+([0-9A-Fa-f:.]+)/.exec(line)?.[1]
    return address === undefined ? [] : [address]
  })
}

/** Whether an id exists in this user namespace: lines are `first-here first-outside count`. An empty map says nothing, so it exists. */
export function isMapped(uidMap: string, uid: number): boolean {
  const lines = uidMap.split('\n').filter((line) => line.trim() !== '')
  return (
    lines.length === 0 ||
    lines.some((line) => {
      const [first = 0, , count = 0] = line.trim().split(/\s+/).map(Number)
      return uid >= first && uid < first + count
    })
  )
}
