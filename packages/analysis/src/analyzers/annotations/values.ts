/** What is wrong with the value of an annotation that injection reads; `undefined` when nothing is. */
import { parseProxyConfig } from '@lateen/api'

export function problemOfValue(annotation: string, value: string): string | undefined {
  return CHECKS[annotation]?.(value)
}

type Check = (value: string) => string | undefined

const CHECKS: Readonly<Record<string, Check>> = {
  'sidecar.istio.io/interceptionMode': (value) =>
    ['REDIRECT', 'TPROXY', 'NONE'].includes(value) ? undefined : `found "${value}"; allowed: REDIRECT, TPROXY, NONE`,
  'status.sidecar.istio.io/port': port,
  'readiness.status.sidecar.istio.io/initialDelaySeconds': wholeNumber,
  'readiness.status.sidecar.istio.io/periodSeconds': wholeNumber,
  'readiness.status.sidecar.istio.io/failureThreshold': wholeNumber,
  'traffic.sidecar.istio.io/includeOutboundIPRanges': (value) => (value === '*' ? undefined : ranges(value)),
  'traffic.sidecar.istio.io/excludeOutboundIPRanges': ranges,
  'traffic.sidecar.istio.io/includeInboundPorts': (value) => (value === '*' ? undefined : ports(value)),
  'traffic.sidecar.istio.io/excludeInboundPorts': ports,
  'traffic.sidecar.istio.io/excludeOutboundPorts': ports,
  'prometheus.istio.io/merge-metrics': (value) =>
    /^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(value) ? undefined : `found "${value}"; true or false is needed`,
  'proxy.istio.io/config': (value) => {
    const fault = parseProxyConfig(value).diagnostics.find(({ severity }) => severity === 'Error')
    return fault && `${fault.path ? `${fault.path}: ` : ''}${fault.message}`
  },
}

function wholeNumber(value: string): string | undefined {
  return /^\d{1,10}$/.test(value) && Number(value) < 2 ** 32 ? undefined : `found "${value}"; a whole number is needed`
}

function port(value: string): string | undefined {
  return /^\s*\d{1,5}\s*$/.test(value) && Number(value) < 2 ** 16 ? undefined : `found "${value}"; a port is needed`
}

function ports(value: string): string | undefined {
  return firstProblem(value.trim(), port)
}

function ranges(value: string): string | undefined {
  return firstProblem(value, (range) => (isRange(range) ? undefined : `found "${range}"; an address range such as 10.0.0.0/8 is needed`))
}

function firstProblem(value: string, check: Check): string | undefined {
  return value === ''
    ? undefined
    : value
        .split(',')
        .map(check)
        .find((problem) => problem !== undefined)
}

function isRange(text: string): boolean {
  const [, address = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? []
  if (isIpv4(address)) return Number(bits) <= 32
  return isIpv6(address) && Number(bits) <= 128
}

function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
}

/** With one `::` at most, and an IPv4 address at the end. */
function isIpv6(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2 || !text.includes(':')) return false
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  const last = groups.at(-1) ?? ''
  const width = groups.length + (last.includes('.') ? 1 : 0)
  const fine = groups.every((group, i) => /^[0-9a-fA-F]{1,4}$/.test(group) || (i === groups.length - 1 && isIpv4(group)))
  return fine && (halves.length === 2 ? width < 8 : width === 8)
}
