/** Checks annotation values before they reach a template: each problem names the annotation, the value and what is allowed. */
import { splitList } from '../capture/config.ts'
import { isIPv4Cidr, splitRanges } from '../capture/ranges.ts'
import { isRecord } from '../pod/pod.ts'
import { readProxyConfig } from '../settings/proxy-config.ts'
import { textAt, type Values } from '../settings/values.ts'

/** What is wrong with a value, to follow its quoted text; `undefined` when it is right. */
type Check = (value: string) => string | undefined

const CHECKS: Readonly<Record<string, Check>> = {
  'proxy.istio.io/config': proxyConfig,
  'prometheus.istio.io/merge-metrics': truth,
  'sidecar.istio.io/rewriteAppHTTPProbers': truth,
  'sidecar.istio.io/nativeSidecar': truth,
  'sidecar.istio.io/interceptionMode': (value) =>
    ['REDIRECT', 'TPROXY', 'NONE'].includes(value) ? undefined : 'must be REDIRECT, TPROXY or NONE',
  'status.sidecar.istio.io/port': port,
  'readiness.status.sidecar.istio.io/initialDelaySeconds': count,
  'readiness.status.sidecar.istio.io/periodSeconds': count,
  'readiness.status.sidecar.istio.io/failureThreshold': count,
  'traffic.sidecar.istio.io/includeOutboundIPRanges': rangesOrWildcard,
  'traffic.sidecar.istio.io/excludeOutboundIPRanges': ranges,
  'traffic.sidecar.istio.io/includeInboundPorts': portsOrWildcard,
  'traffic.sidecar.istio.io/excludeInboundPorts': ports,
  'traffic.sidecar.istio.io/includeOutboundPorts': ports,
  'traffic.sidecar.istio.io/excludeOutboundPorts': ports,
  'sidecar.istio.io/userVolume': namedObjects,
  'sidecar.istio.io/userVolumeMount': namedObjects,
  'sidecar.istio.io/statsHistogramBuckets': jsonObject,
  'proxy.istio.io/overrides': jsonObject,
}

/** Sentences about all annotations with values that cannot be used; empty when all can. */
export function checkAnnotations(annotations: Readonly<Record<string, string>>): string[] {
  return Object.entries(annotations).flatMap(([name, value]) => {
    const problem = Object.hasOwn(CHECKS, name) ? CHECKS[name]?.(value) : undefined
    return problem === undefined ? [] : [`annotation ${name}${VALUE_NAMES[name] ?? ''}: "${shorten(value)}" ${problem}`]
  })
}

/** Installation values that stand in for annotations, by the annotation whose rules they follow. */
const CHECKED_VALUES: Readonly<Record<string, string>> = {
  'global.proxy.includeIPRanges': 'traffic.sidecar.istio.io/includeOutboundIPRanges',
  'global.proxy.excludeIPRanges': 'traffic.sidecar.istio.io/excludeOutboundIPRanges',
  'global.proxy.includeInboundPorts': 'traffic.sidecar.istio.io/includeInboundPorts',
  'global.proxy.excludeInboundPorts': 'traffic.sidecar.istio.io/excludeInboundPorts',
  'global.proxy.includeOutboundPorts': 'traffic.sidecar.istio.io/includeOutboundPorts',
  'global.proxy.excludeOutboundPorts': 'traffic.sidecar.istio.io/excludeOutboundPorts',
  'global.proxy.statusPort': 'status.sidecar.istio.io/port',
}

/** Sentences about installation values that cannot be used. */
export function checkInstallationValues(values: Values): string[] {
  return Object.entries(CHECKED_VALUES).flatMap(([path, name]) => {
    const value = textAt(values, path)
    const problem = value === '' ? undefined : CHECKS[name]?.(value)
    return problem === undefined ? [] : [`installation value ${path}: "${shorten(value)}" ${problem}`]
  })
}

/** Where the installation value has another name than the annotation, messages give both. */
const VALUE_NAMES: Readonly<Record<string, string>> = {
  'traffic.sidecar.istio.io/includeOutboundIPRanges': ' (includeIPRanges)',
  'traffic.sidecar.istio.io/excludeOutboundIPRanges': ' (excludeIPRanges)',
}

/** Go's texts for truth values, which the agent and the injector accept. */
export function parseTruth(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true
  return ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text) ? false : undefined
}

function truth(value: string): string | undefined {
  return parseTruth(value) === undefined ? 'must be "true" or "false"' : undefined
}

function port(value: string): string | undefined {
  return /^[0-9]{1,5}$/.test(value) && Number(value) <= 65535 ? undefined : 'is no port; give a number from 0 to 65535'
}

function count(value: string): string | undefined {
  return /^[0-9]{1,10}$/.test(value) && Number(value) <= 2 ** 32 - 1 ? undefined : 'must be a whole number, 0 or more'
}

function ports(value: string): string | undefined {
  const bad = splitList(value).find((part) => port(part.trim()) !== undefined)
  return bad === undefined ? undefined : `holds "${bad.trim()}", which is no port; give numbers from 0 to 65535 separated by commas`
}

function portsOrWildcard(value: string): string | undefined {
  return value === '*' ? undefined : ports(value)?.replace('commas', 'commas, or * alone')
}

function ranges(value: string): string | undefined {
  const bad = value
    .split(',')
    .filter((part) => part !== '')
    .find((part) => !isIPv4Cidr(part.trim()) && splitRanges(part.trim()).v6.length === 0)
  return bad === undefined ? undefined : `holds "${bad.trim()}", which is no IP range; give CIDRs such as 10.0.0.0/8 separated by commas`
}

function rangesOrWildcard(value: string): string | undefined {
  return value === '*' ? undefined : ranges(value)?.replace('commas', 'commas, or * alone')
}

function proxyConfig(value: string): string | undefined {
  const read = readProxyConfig(value)
  return 'problem' in read ? read.problem : undefined
}

function jsonObject(value: string): string | undefined {
  return isRecord(parseJson(value)) ? undefined : 'must be a JSON object'
}

function namedObjects(value: string): string | undefined {
  const parsed = parseJson(value)
  const isNamed = (item: unknown) => isRecord(item) && typeof item['name'] === 'string' && item['name'] !== ''
  const fits = Array.isArray(parsed) ? parsed.every(isNamed) : isRecord(parsed) && Object.values(parsed).every(isRecord)
  return fits
    ? undefined
    : 'must be JSON: volumes or mounts by their names, such as {"data":{"emptyDir":{}}}, or a list such as [{"name":"data","emptyDir":{}}]'
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function shorten(value: string): string {
  return value.length > 80 ? `${value.slice(0, 77)}…` : value
}
