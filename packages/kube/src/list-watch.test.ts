import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { KubeObject, ResourceType } from '@lateen/api'
import { setLogSink } from '@lateen/base'
import { afterEach, describe, expect, test } from 'vitest'
import { createKubeClient } from './client.ts'
import { staticCredentials } from './credentials.ts'
import { listWatch } from './list-watch.ts'
import type { KubeClient, ListWatch } from './types.ts'

const CONFIG_MAP: ResourceType = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true }
const TIMING = { firstBackOff: 5, longestBackOff: 20, unavailable: 20 }

type Answer = (request: IncomingMessage, response: ServerResponse, url: URL) => void

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

/** A server that answers lists and watches as scripted: the network's and the API server's misbehaviour cannot be had from a good one. */
async function scripted(lists: Answer[], watches: Answer[]): Promise<KubeClient> {
  setLogSink(() => undefined)
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const script = url.searchParams.get('watch') ? watches : lists
    const answer = script.length > 1 ? script.shift() : script[0]
    if (answer) answer(request, response, url)
    else response.writeHead(503).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const client = createKubeClient({
    server: new URL(`http://127.0.0.1:${port}`),
    insecureSkipTlsVerify: false,
    credentials: staticCredentials({ token: 't' }),
    namespace: 'default',
    origin: 'test',
  })
  cleanups.push(() => {
    client.close()
    server.closeAllConnections()
    server.close()
  })
  return client
}

const map = (name: string, resourceVersion: string) => ({ metadata: { name, namespace: 'shop', resourceVersion } })
const list =
  (resourceVersion: string, names: string[], next?: string): Answer =>
  (_, response) =>
    response.end(
      JSON.stringify({
        metadata: { resourceVersion, ...(next ? { continue: next } : {}) },
        items: names.map((name) => map(name, resourceVersion)),
      }),
    )
const event = (type: string, name: string, resourceVersion: string) =>
  `${JSON.stringify({ type, object: { apiVersion: 'v1', kind: 'ConfigMap', ...map(name, resourceVersion) } })}\n`
const watch =
  (...lines: string[]): Answer =>
  (_, response) =>
    void response.write(lines.join('') || '\n')
const status =
  (code: number, reason: string): Answer =>
  (_, response) =>
    response.writeHead(code).end(JSON.stringify({ kind: 'Status', code, reason, message: `${reason}!` }))

/** Follows ConfigMaps and keeps what it was told; `until` resolves when the told state makes the claim true. */
function follow(client: KubeClient, options: { optional?: boolean; project?: (object: KubeObject) => KubeObject | undefined } = {}) {
  const known = new Map<string, KubeObject>()
  const log: string[] = []
  let claims: { holds: () => boolean; resolve: () => void }[] = []
  const check = () => {
    for (const claim of claims) if (claim.holds()) claim.resolve()
    claims = claims.filter((claim) => !claim.holds())
  }
  const source: ListWatch = listWatch(
    client,
    CONFIG_MAP,
    { timing: TIMING, ...options },
    {
      replace: (objects) => {
        known.clear()
        for (const object of objects) known.set(object.metadata.name, object)
        log.push(`replace ${objects.map((object) => object.metadata.name).join(',')}`)
        check()
      },
      set: (object) => {
        known.set(object.metadata.name, object)
        log.push(`set ${object.metadata.name}`)
        check()
      },
      delete: (object) => {
        known.delete(object.metadata.name)
        log.push(`delete ${object.metadata.name}`)
        check()
      },
    },
  )
  cleanups.push(() => source.stop())
  const until = (holds: () => boolean) =>
    new Promise<void>((resolve) => {
      claims.push({ holds, resolve })
      check()
    })
  return { source, known, log, until }
}

describe('list-watch', () => {
  test('reads a list page by page and then follows changes from its resourceVersion', async () => {
    let asked = ''
    const client = await scripted(
      [list('7', ['a', 'b'], 'page2'), list('7', ['c'])],
      [
        (_, response, url) => {
          asked = url.searchParams.get('resourceVersion') ?? ''
          response.write(event('ADDED', 'd', '8') + event('DELETED', 'a', '9'))
        },
      ],
    )
    const { log, until, known, source } = follow(client)
    await until(() => known.has('d') && !known.has('a'))
    expect(log).toEqual(['replace a,b,c', 'set d', 'delete a'])
    expect(asked).toBe('7')
    expect(source.state).toBe('watching')
    expect(known.get('b')).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' })
  })

  test('an expired resourceVersion makes a new list', async () => {
    const gone = `${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } })}\n`
    const client = await scripted([list('1', ['a']), list('5', ['b'])], [watch(gone), watch(event('ADDED', 'c', '6'))])
    const { log, until, known } = follow(client)
    await until(() => known.has('c'))
    expect(log).toEqual(['replace a', 'replace b', 'set c'])
  })

  test('a line that is not JSON makes a new list, and nothing of it is believed', async () => {
    const client = await scripted(
      [list('1', ['a']), list('2', ['a', 'b'])],
      [watch('{"type":"ADDED","obj\n'), watch(event('ADDED', 'c', '3'))],
    )
    const { log, until, known } = follow(client)
    await until(() => known.has('c'))
    expect(log).toEqual(['replace a', 'replace a,b', 'set c'])
  })

  test('a bookmark moves the resourceVersion that a broken-off watch resumes from', async () => {
    const versions: string[] = []
    const client = await scripted(
      [list('1', [])],
      [
        (_, response) => response.end(event('BOOKMARK', '', '41')),
        (_, response, url) => {
          versions.push(url.searchParams.get('resourceVersion') ?? '')
          response.write(event('ADDED', 'x', '42'))
        },
      ],
    )
    const { until, known } = follow(client)
    await until(() => known.has('x'))
    expect(versions).toEqual(['41'])
  })

  test('a kind that is not served is unavailable, counts as synced, and is found when it appears', async () => {
    const client = await scripted([status(404, 'NotFound'), status(404, 'NotFound'), list('3', ['late'])], [watch()])
    const { source, until, known, log } = follow(client)
    await source.synced
    expect(source.state).toBe('unavailable')
    await until(() => known.has('late'))
    expect(log).toEqual(['replace late'])
  })

  test('a kind that goes away loses its objects only after a second look', async () => {
    const client = await scripted(
      [list('1', ['a']), status(404, 'NotFound'), status(404, 'NotFound')],
      [(_, response) => response.writeHead(404).end()],
    )
    const { until, log } = follow(client)
    await until(() => log.length === 2)
    expect(log).toEqual(['replace a', 'replace '])
  })

  test('refused permission is no sync, unless the kind is optional', async () => {
    const client = await scripted([status(403, 'Forbidden')], [])
    const needed = follow(client)
    const optional = follow(client, { optional: true })
    await optional.source.synced
    const first = await Promise.race([needed.source.synced.then(() => 'synced'), optional.source.synced.then(() => 'not synced')])
    expect(first).toBe('not synced')
    expect(needed.source.lastError?.message).toContain('Forbidden')
  })

  test('a projection keeps what it returns, and an object that it drops is deleted', async () => {
    const client = await scripted([list('1', ['a', 'skip'])], [watch(event('MODIFIED', 'skip', '2'), event('ADDED', 'z', '3'))])
    const { until, known, log } = follow(client, {
      project: (object) =>
        object.metadata.name === 'skip' ? undefined : { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: object.metadata.name } },
    })
    await until(() => known.has('z'))
    expect(log).toEqual(['replace a', 'delete skip', 'set z'])
    expect(known.get('a')).toEqual({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } })
  })

  test('a server that refuses connections for a while is found again', async () => {
    const client = await scripted(
      [(request) => request.socket.destroy(), (request) => request.socket.destroy(), list('1', ['a'])],
      [watch()],
    )
    const { until, known, source } = follow(client)
    await until(() => known.has('a'))
    expect(source.state === 'listing' || source.state === 'watching').toBe(true)
  })

  test('stop is final', async () => {
    const client = await scripted([list('1', ['a'])], [watch()])
    const { source } = follow(client)
    await source.synced
    source.stop()
    expect(source.state).toBe('stopped')
  })
})
