/** What makes a Gateway unusable or surely not what was meant. */
import type { At } from '../../diagnostics/at.ts'
import { didYouMean } from '../../diagnostics/suggest.ts'
import type { Port } from '../../messages/port.ts'
import { checkIp, checkPort, checkUnixPath, unixPath } from '../../validation/addresses.ts'
import { checkNamespaceAndHost, isDnsLabel } from '../../validation/hosts.ts'
import { isHttp, isTls, protocolOf } from '../../validation/protocols.ts'
import { checkServerTls } from '../../validation/server-tls.ts'
import type { Subject } from '../../validation/subject.ts'
import type { GatewaySpec, Server } from './gateway.ts'

/** Set on objects that were made from Gateway API gateways: their names have dots. */
const GATEWAY_SEMANTICS = 'internal.istio.io/gateway-semantics'

export function checkGateway({ spec, at, top, name, annotations }: Subject<GatewaySpec>): void {
  const fromGatewayApi = annotations[GATEWAY_SEMANTICS] === 'gateway'
  if (!isDnsLabel(name) && !fromGatewayApi) top.in('metadata', 'name').say('GatewayName', { name })
  if (!spec.servers?.length) at.in('servers').say('NoServers')
  const names = new Set<string>()
  at.in('servers').each(spec.servers, (server, place) => {
    checkServer(server, place, fromGatewayApi)
    if (!server.port) return
    const { name: portName = '', protocol } = server.port
    if (names.has(portName)) place.in('port', 'name').say('DuplicateName', { name: portName })
    names.add(portName)
    if (server.tls?.httpsRedirect && !isHttp(protocolOf(protocol))) place.in('tls', 'httpsRedirect').say('RedirectOnNonHttp')
  })
}

function checkServer(server: Server, at: At, fromGatewayApi: boolean): void {
  if (!server.hosts?.length) at.in('hosts').say('NoHosts')
  at.in('hosts').each(server.hosts, (host, place) => {
    checkNamespaceAndHost(host, place, { where: 'gateway', fromGatewayApi })
  })
  const portUsable = checkServerPort(server.port, server.bind, at.in('port'))
  checkBind(server, at)
  checkServerTls(server.tls, at.in('tls'))
  if (portUsable && server.port) checkTlsFits(server, server.port.protocol ?? '', at)
}

const SHOWN = ['HTTP', 'HTTPS', 'GRPC', 'GRPC-WEB', 'HTTP2', 'MONGO', 'REDIS', 'MYSQL', 'TCP', 'TLS']

/** Answers whether the port has no faults. */
function checkServerPort(port: Port | undefined, bind: string | undefined, at: At): boolean {
  if (!port) {
    at.say('PortMissing')
    return false
  }
  const before = at.report.diagnostics.length
  const { protocol = '', number = 0, name, targetPort } = port
  if (protocolOf(protocol) === undefined)
    at.in('protocol').say('UnknownProtocol', { protocol, allowed: SHOWN.join(', '), hint: didYouMean(protocol, SHOWN) })
  if (number > 0 || unixPath(bind) === undefined) checkPort(number, at.in('number'))
  if (targetPort) at.in('targetPort').say('TargetPortUnused')
  if (!name) at.in('name').say('EmptyName')
  return at.report.diagnostics.length === before
}

function checkBind({ bind, port }: Server, at: At): void {
  const path = unixPath(bind)
  if (path !== undefined) {
    checkUnixPath(path, at.in('bind'))
    if (port?.number) at.in('port', 'number').say('SocketPort', { port: port.number })
  } else if (bind) checkIp(bind, at.in('bind'))
}

/** Encrypted protocols need TLS settings; plain HTTP takes them only to redirect. */
function checkTlsFits({ tls }: Server, text: string, at: At): void {
  const protocol = protocolOf(text)
  if (isTls(protocol)) {
    if (!tls) at.in('tls').say('TlsMissing', { protocol: text })
  } else if (tls && isHttp(protocol)) {
    const passes = tls.mode === undefined || tls.mode === 'PASSTHROUGH' || tls.mode === 'AUTO_PASSTHROUGH'
    if (!passes || tls.caCertificates || tls.privateKey || tls.serverCertificate) at.in('tls').say('TlsOnPlain', { protocol: text })
  } else if (tls) at.in('tls').say('TlsOnOther', { protocol: text })
}
