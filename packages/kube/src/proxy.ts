/**
 * The way to the API server: direct, or through a proxy that the kubeconfig (`proxy-url`) or the environment names (`HTTPS_PROXY`,
 * `HTTP_PROXY`, `NO_PROXY`), with Go's rules, which kubectl follows.
 */
import { BlockList, isIP } from 'node:net'
import { KubeConfigError } from './errors.ts'

const SCHEMES = ['http:', 'https:', 'socks5:', 'socks5h:']

/** The proxy for `server`, undefined for none. @throws KubeConfigError for an address of the environment that is none */
export function proxyOfEnvironment(server: URL, env: NodeJS.ProcessEnv): URL | undefined {
  const name = server.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY'
  const given = env[name] || env[name.toLowerCase()]
  if (!given || isPassedBy(server, env['NO_PROXY'] || env['no_proxy'] || '')) return undefined
  return parseProxy(given.includes('://') ? given : `http://${given}`, `the environment's ${name}`)
}

/** @param where for the message. @throws KubeConfigError for what is no address of a proxy */
export function parseProxy(text: string, where: string): URL {
  const url = URL.parse(text)
  // Passwords may stand in it.
  if (!url?.hostname) throw new KubeConfigError(`${where} is not a URL`)
  if (SCHEMES.includes(url.protocol)) return url
  throw new KubeConfigError(
    `${where} begins with ${url.protocol}//; proxies are reached by ${SCHEMES.map((scheme) => `${scheme}//`).join(', ')}`,
  )
}

/** Whether one of the entries means the server; this machine is always passed by. */
function isPassedBy(server: URL, entries: string): boolean {
  const host = server.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  const family = isIP(host)
  if (host === 'localhost' || (family > 0 && contains('127.0.0.0/8', host)) || host === '::1') return true
  const port = server.port || (server.protocol === 'https:' ? '443' : '80')
  return entries
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry !== '' && (entry === '*' || means(entry, host, port)))
}

function means(entry: string, host: string, port: string): boolean {
  if (isIP(host) > 0 && entry.includes('/')) return contains(entry, host)
  const [, name = '', only] = /^(.*?)(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? []
  if (only !== undefined && only !== port) return false
  const wanted = name.replace(/^\[|\]$/g, '')
  if (isIP(wanted) > 0) return wanted === host
  const suffix = wanted.replace(/^\*?\./, '')
  // A leading dot means those below alone.
  return host.endsWith(`.${suffix}`) || (suffix === wanted && host === suffix)
}

function contains(range: string, host: string): boolean {
  const [network = '', bits] = range.split('/')
  const family = isIP(network)
  if (family === 0 || family !== isIP(host) || !/^\d{1,3}$/.test(bits ?? '') || Number(bits) > (family === 4 ? 32 : 128)) return false
  const list = new BlockList()
  const kind = family === 4 ? 'ipv4' : 'ipv6'
  list.addSubnet(network, Number(bits), kind)
  return list.check(host, kind)
}
