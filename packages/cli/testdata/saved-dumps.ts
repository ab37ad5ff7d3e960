/** Config dumps of own writing in files, and `proxy-config` on them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { inProcess } from './in-process.ts'

const ADMIN = 'type.googleapis.com/envoy.admin.v3.'

/** `part('Clusters', …)` is a ClustersConfigDump. */
export const part = (name: string, fields: object) => ({ '@type': `${ADMIN}${name}ConfigDump`, ...fields })
export const clusters = (...found: object[]) => part('Clusters', { dynamic_active_clusters: found.map((cluster) => ({ cluster })) })
export const listeners = (...found: object[]) =>
  part('Listeners', { dynamic_listeners: found.map((listener) => ({ active_state: { listener } })) })
export const routes = (...found: object[]) => part('Routes', { dynamic_route_configs: found.map((route_config) => ({ route_config })) })
export const endpoints = (...found: object[]) =>
  part('Endpoints', { dynamic_endpoint_configs: found.map((endpoint_config) => ({ endpoint_config })) })
export const BOOTSTRAP = part('Bootstrap', { bootstrap: { node: { metadata: { ISTIO_VERSION: '1.30.3' } } } })

export const typed = (type: string, fields: object) => ({ '@type': `type.googleapis.com/${type}`, ...fields })
export const socket = (address: string, port_value: number) => ({ socket_address: { address, port_value } })
/** Istio's mark on a resource: the API path of the object that it is made from. */
export const madeBy = (path: string) => ({ filter_metadata: { istio: { config: path } } })

/** A folder for one test file, gone with it. */
export function savedDumps() {
  const folder = mkdtempSync(join(tmpdir(), 'lateen-dump-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  let files = 0
  const saved = (content: string | Buffer): string => {
    const path = join(folder, `${++files}.json`)
    writeFileSync(path, content)
    return path
  }
  return { saved, dump: (...configs: object[]) => saved(JSON.stringify({ configs })) }
}

export const pc = (kind: string, file: string, ...flags: string[]) => inProcess(['proxy-config', kind, '--file', file, ...flags], {})

/** The lines that it writes. */
export const table = async (kind: string, file: string, ...flags: string[]) => (await pc(kind, file, ...flags)).stdout.split('\n').slice(0, -1)
