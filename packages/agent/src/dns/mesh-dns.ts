/** DNS for this pod: the server, its upstream from resolv.conf, and the newest name table. */
import { readFile } from 'node:fs/promises'
import { logger } from '@lateen/base'
import type { AgentSettings } from '../settings/settings.ts'
import { type DnsServer, startDnsServer } from './dns-server.ts'
import { buildNameTable, decodeNameTable } from './name-table.ts'
import { parseResolvConf } from './resolv-conf.ts'

const log = logger('dns')

/** Left alone by capture where the proxy is told by its mark: this process cannot mark its sockets. */
const MARK_MODE_SOURCE_PORTS = { from: 15100, to: 15163 } as const

export interface MeshDns {
  /** Takes an encoded name table. */
  setTable(encoded: Buffer): void
  readonly counts: DnsServer['counts']
  close(): Promise<void>
}

/** @throws Error when the port is taken */
export async function openDns(settings: AgentSettings): Promise<MeshDns> {
  const resolv = parseResolvConf(await readFile(settings.files.resolvConf, 'utf8').catch(() => ''))
  if (resolv.nameservers.length === 0) log.warn(`${settings.files.resolvConf} names no nameserver; only names of the mesh are answered`)
  const server = await startDnsServer({
    address: settings.dns.address,
    upstream: {
      nameservers: resolv.nameservers,
      timeoutMs: settings.dns.timeoutMs,
      ...(settings.mark === undefined ? {} : { sourcePorts: MARK_MODE_SOURCE_PORTS }),
    },
  })
  const scope = { namespace: settings.namespace, dnsDomain: settings.dnsDomain, search: resolv.search }
  return {
    counts: server.counts,
    close: () => server.close(),
    setTable: (encoded) => {
      const table = buildNameTable(decodeNameTable(encoded), scope)
      server.setTable(table)
      log.debug(`name table of ${table.size} names`)
    },
  }
}
