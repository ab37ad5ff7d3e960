/** The check of a sidecar's listeners for outgoing traffic. */
import type { At } from '../../diagnostics/at.ts'
import { checkIp, checkPort, checkUnixPath, unixPath } from '../../validation/addresses.ts'
import { checkNamespaceAndHost } from '../../validation/hosts.ts'
import { checkPortParts } from './check-ingress.ts'
import type { IstioEgressListener } from './sidecar.ts'

export function checkEgress(listeners: readonly IstioEgressListener[] | undefined, at: At, namespace: string): void {
  const ports = new Set<number>()
  const sockets = new Set<string>()
  let catchAll = false
  at.each(listeners, (listener, place, index) => {
    const { port, bind = '', hosts } = listener
    if (!port) {
      if (catchAll) return place.say('CatchAllTwice')
      if (index === (listeners?.length ?? 0) - 1) catchAll = true
      else place.say('CatchAllNotLast')
    } else {
      checkListenerPort(listener, place)
      const { number = 0 } = port
      if (number === 0) {
        if (sockets.has(bind)) place.in('bind').say('SocketTwice', { bind })
        sockets.add(bind)
      } else {
        if (ports.has(number)) place.in('port', 'number').say('PortTwice', { port: number })
        ports.add(number)
      }
    }
    checkEgressHosts(hosts, place.in('hosts'), namespace)
  })
}

function checkListenerPort({ port = {}, bind = '', captureMode = 'DEFAULT' }: IstioEgressListener, at: At): void {
  checkPortParts(port, at.in('port'))
  if (port.number) {
    checkPort(port.number, at.in('port', 'number'))
    if (bind) checkIp(bind, at.in('bind'))
    return
  }
  const path = unixPath(bind)
  if (path === undefined) at.in('bind').say('ZeroPortNeedsSocket')
  else checkUnixPath(path, at.in('bind'))
  if (captureMode !== 'DEFAULT' && captureMode !== 'NONE') at.in('captureMode').say('SocketCapture', { mode: captureMode })
}

function checkEgressHosts(hosts: readonly string[] | undefined, at: At, namespace: string): void {
  if (!hosts?.length) return at.say('NoHosts')
  const byNamespace = new Map<string, Set<string>>()
  at.each(hosts, (host, place) => {
    const slash = host.indexOf('/')
    if (slash >= 0) {
      const own = host.slice(0, slash)
      const space = own === '.' ? namespace : own
      const name = host.slice(slash + 1)
      const known = byNamespace.get(space) ?? new Set<string>()
      const covered = name === '*' ? known.size > 0 : known.has(name) || known.has('*')
      if (covered) place.say('EgressHostTwice', { host })
      byNamespace.set(space, known.add(name))
    }
    checkNamespaceAndHost(host, place, { where: 'sidecar', fromGatewayApi: false })
  })
  if (byNamespace.get('*')?.has('*') && byNamespace.size > 1) at.say('EgressAllAndMore')
}
