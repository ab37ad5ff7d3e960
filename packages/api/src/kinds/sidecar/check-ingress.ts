/** The check of a sidecar's listeners for incoming traffic. */
import type { At } from '../../diagnostics/at.ts'
import type { SidecarPort } from '../../messages/port.ts'
import type { ServerTLSSettings } from '../../messages/server-tls-settings.ts'
import { checkIp, checkPort, checkUnixPath, unixPath } from '../../validation/addresses.ts'
import { checkConnectionPool } from '../../validation/connection-pool.ts'
import { isDnsLabel } from '../../validation/hosts.ts'
import { checkProtocol, isHttp, isTls, protocolOf } from '../../validation/protocols.ts'
import { checkServerTls } from '../../validation/server-tls.ts'
import type { IstioIngressListener } from './sidecar.ts'

export function checkIngress(listeners: readonly IstioIngressListener[] | undefined, at: At): void {
  const ports = new Set<number>()
  at.each(listeners, (listener, place) => {
    const { port, bind, defaultEndpoint, tls, connectionPool } = listener
    if (!port) return place.in('port').say('PortMissing')
    const { number = 0, protocol } = port
    checkPortParts(port, place.in('port'))
    checkPort(number, place.in('port', 'number'))
    if (bind) checkIp(bind, place.in('bind'))
    if (ports.has(number)) place.in('port', 'number').say('PortTwice', { port: number })
    ports.add(number)
    if (defaultEndpoint) checkDefaultEndpoint(defaultEndpoint, place.in('defaultEndpoint'))
    if (tls) {
      checkIngressTls(tls, place.in('tls'))
      if (!isTls(protocolOf(protocol))) place.in('tls').say('TlsOnOther', { protocol: protocol ?? '' })
    }
    checkConnectionPool(connectionPool, place.in('connectionPool'))
    if (connectionPool?.http && !isHttp(protocolOf(protocol))) {
      place.in('connectionPool', 'http').say('HttpPoolOnTcp', { port: number, protocol: protocol || 'without a protocol' })
    }
  })
}

/** What ingress and egress ports share. */
export function checkPortParts({ name, protocol, targetPort }: SidecarPort, at: At): void {
  if (name && !isDnsLabel(name)) at.in('name').say('BadLabelName', { name })
  if (protocol) checkProtocol(protocol, at.in('protocol'))
  if (targetPort) at.in('targetPort').say('TargetPortUnused')
}

const LOCAL = /^(?:127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\[::\]|):([^:]*)$/

function checkDefaultEndpoint(value: string, at: At): void {
  const path = unixPath(value)
  if (path !== undefined) return checkUnixPath(path, at)
  const port = LOCAL.exec(value)?.[1]
  if (port === undefined || !/^[0-9]{1,9}$/.test(port)) at.say('DefaultEndpoint', { value })
  else checkPort(Number(port), at)
}

function checkIngressTls(tls: ServerTLSSettings, at: At): void {
  const set = {
    subjectAltNames: tls.subjectAltNames?.length,
    httpsRedirect: tls.httpsRedirect,
    credentialName: tls.credentialName,
    credentialNames: tls.credentialNames?.length,
    tlsCertificates: tls.tlsCertificates?.length,
  }
  for (const [field, value] of Object.entries(set)) if (value) at.in(field).say('SidecarTlsField', { field })
  if (tls.mode === 'ISTIO_MUTUAL' || tls.mode === 'AUTO_PASSTHROUGH') at.in('mode').say('SidecarTlsMode', { mode: tls.mode })
  checkServerTls(tls, at)
}
