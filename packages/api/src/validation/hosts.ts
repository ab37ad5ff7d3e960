/** Checks of DNS names and hosts, also with wildcards. */
import type { At } from '../diagnostics/at.ts'
import { isIp } from './addresses.ts'

const LABEL = /^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$/
const WILDCARD_LABEL = /^(\*|(\*-?)?[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)$/

/** A DNS label: letters, digits and dashes, at most 63. */
export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && LABEL.test(text)
}

function isWildcardLabel(text: string): boolean {
  return text.length <= 63 && WILDCARD_LABEL.test(text)
}

/** A full DNS name, without wildcard; a dot at the end is allowed. */
export function checkFqdn(host: string, at: At): boolean {
  return checkLength(host, at) && checkLabels(host, host, at)
}

/** Whether `checkFqdn` would be content. */
export function isFqdn(host: string): boolean {
  return host.length > 0 && host.length <= 255 && !/^[+-]?\d+$/.test(lastLabel(host)) && badLabel(host) === undefined
}

/** A DNS name whose first part may be or begin with a wildcard. */
export function checkWildcardHost(host: string, at: At): boolean {
  if (!checkLength(host, at)) return false
  const dot = host.indexOf('.')
  const first = dot < 0 ? host : host.slice(0, dot)
  if (!isWildcardLabel(first)) {
    at.say('BadHostLabel', { host, label: first })
    return false
  }
  return dot < 0 || checkLabels(host.slice(dot + 1), host, at)
}

function isWildcardHost(host: string): boolean {
  if (host.length === 0 || host.length > 255) return false
  const dot = host.indexOf('.')
  return isWildcardLabel(dot < 0 ? host : host.slice(0, dot)) && (dot < 0 || isFqdn(host.slice(dot + 1)))
}

/** Hosts of VirtualServices at gateways: also the names that AUTO_PASSTHROUGH makes, `outbound_.80_._.host`. */
export function checkGatewayHost(host: string, at: At, { sni }: { readonly sni: boolean }): boolean {
  if (sni && host.startsWith('outbound_')) {
    const [, port = '', , name = ''] = host.split('_')
    if (/[0-9]/.test(port) && /[a-zA-Z]/.test(name)) return true
    at.say('BadHostLabel', { host, label: port })
    return false
  }
  return checkWildcardHost(host, at)
}

function checkLength(host: string, at: At): boolean {
  if (host.length === 0) at.say('EmptyHost')
  else if (host.length > 255) at.say('HostTooLong', { length: host.length })
  else return true
  return false
}

function checkLabels(rest: string, host: string, at: At): boolean {
  if (/^[+-]?\d+$/.test(lastLabel(rest))) {
    at.say('NumericTopDomain', { host })
    return false
  }
  const label = badLabel(rest)
  if (label === undefined) return true
  at.say('BadHostLabel', { host, label })
  return false
}

const lastLabel = (host: string) => host.slice(host.lastIndexOf('.') + 1)

function badLabel(host: string): string | undefined {
  const labels = host.split('.')
  // `istio.io.` is the same name, said without doubt.
  if (labels.length > 1 && labels.at(-1) === '') labels.pop()
  return labels.find((label) => !isDnsLabel(label))
}

export function isPartialWildcard(host: string): boolean {
  return host.includes('*') && host !== '*' && !host.startsWith('*.')
}

/** `namespace/host` of a gateway's server (there the namespace may be left out) or a sidecar's egress listener. */
export function checkNamespaceAndHost(
  value: string,
  at: At,
  { where, fromGatewayApi }: { readonly where: 'gateway' | 'sidecar'; readonly fromGatewayApi: boolean },
): void {
  const slash = value.indexOf('/')
  if (slash < 0) {
    if (where === 'gateway') checkHostPart(value, at, where)
    else at.say('NotNamespaceSlashHost', { value })
    return
  }
  const namespace = value.slice(0, slash)
  const host = value.slice(slash + 1)
  if (namespace === '' || host === '') at.say('EmptyNamespaceOrHost', { value })
  const tilde = where === 'sidecar' || fromGatewayApi
  if (namespace !== '*' && namespace !== '.' && !(namespace === '~' && tilde) && !isDnsLabel(namespace)) {
    at.say('BadNamespacePart', { namespace, allowed: where === 'sidecar' ? '*, ., ~ or a name' : '*, . or a name' })
  }
  checkHostPart(host, at, where)
}

function checkHostPart(host: string, at: At, where: 'gateway' | 'sidecar'): void {
  if (host !== '*' && !host.includes('.')) at.say('ShortHost', { host })
  // Only gateways serve hosts that are IP addresses.
  if (!isWildcardHost(host) && !(where === 'gateway' && isIp(host))) checkWildcardHost(host, at)
  if (isPartialWildcard(host)) at.say('PartialWildcard', { host })
}

/** Whether two hosts, each possibly with a leading `*`, have a name in common. */
export function hostsOverlap(a: string, b: string): boolean {
  const aWild = a.startsWith('*')
  const bWild = b.startsWith('*')
  if (aWild && bWild) return a.length < b.length ? b.slice(1).endsWith(a.slice(1)) : a.slice(1).endsWith(b.slice(1))
  if (aWild) return b.endsWith(a.slice(1))
  if (bWild) return a.endsWith(b.slice(1))
  return a === b
}

/** Whether every name of `a` is also one of `b`. */
export function hostWithin(a: string, b: string): boolean {
  const aWild = a.startsWith('*')
  if (b.startsWith('*')) return aWild ? a.length >= b.length && a.slice(1).endsWith(b.slice(1)) : a.endsWith(b.slice(1))
  return !aWild && a === b
}
