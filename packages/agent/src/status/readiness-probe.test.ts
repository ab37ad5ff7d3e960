import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SettingError } from '../settings/environment.ts'
import { parseReadinessProbe } from './readiness-probe.ts'
import { watchWorkload } from './workload-health.ts'

const LOCAL = { host: '127.0.0.1' }
const seen: { path: string | undefined; host: string | undefined; token: unknown }[] = []
let server: Server
let port = 0
let status = 200

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push({ path: request.url, host: request.headers.host, token: request.headers['x-token'] })
    response.writeHead(status).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(() => void server.close())

function probe(value: object) {
  const parsed = parseReadinessProbe(value)
  if (!parsed) throw new Error('no probe')
  return parsed
}

test('what is not set has the defaults of Istio', () => {
  expect(parseReadinessProbe(undefined)).toBeUndefined()
  expect(probe({ tcpSocket: { port: 80 } })).toMatchObject({ initialDelayMs: 0, periodMs: 10_000, successes: 1, failures: 3 })
})

test('HTTP: the path, host and headers are those of the probe; 2xx and 3xx are well', async () => {
  const asked = probe({ httpGet: { port, path: '/live', host: 'localhost', httpHeaders: [{ name: 'x-token', value: 'open' }] } })
  status = 302
  expect(await asked.ask({ host: '192.0.2.1' })).toBeUndefined()
  expect(seen.at(-1)).toMatchObject({ path: '/live', token: 'open' })
  status = 503
  expect(await asked.ask(LOCAL)).toBe(`http localhost:${port}/live answers with status 503`)
  status = 200
  expect(await probe({ httpGet: { port } }).ask(LOCAL)).toBeUndefined()
  expect(seen.at(-1)).toMatchObject({ path: '/', host: `127.0.0.1:${port}` })
})

test('TCP: a port that nobody listens on is not well, and the reason is told', async () => {
  expect(await probe({ tcpSocket: { port } }).ask(LOCAL)).toBeUndefined()
  expect(await probe({ tcpSocket: { port: 1 } }).ask(LOCAL)).toMatch(/^tcp 127\.0\.0\.1:1: .*ECONNREFUSED/)
})

test('a command is well when it ends with 0, within its time', async () => {
  const run = (command: string, timeoutSeconds = 1) => probe({ timeoutSeconds, exec: { command: ['/bin/sh', '-c', command] } }).ask(LOCAL)
  expect(await run('exit 0')).toBeUndefined()
  expect(await run('echo no disk >&2; exit 3')).toBe('/bin/sh: no disk')
  expect(await run('exec sleep 20')).toBe('/bin/sh: no end within 1000 ms')
})

test('a probe that cannot be used is refused with its field', () => {
  for (const [value, reason] of [
    ['often', 'not an object'],
    [{}, 'none of httpGet, tcpSocket and grpc'],
    [{ tcpSocket: { port: 0 } }, 'the port 0'],
    [{ exec: { command: [] } }, 'exec.command'],
    [{ periodSeconds: -1, tcpSocket: { port: 80 } }, 'periodSeconds'],
  ] as const) {
    expect(() => parseReadinessProbe(value)).toThrow(SettingError)
    expect(() => parseReadinessProbe(value)).toThrow(reason)
  }
})

test('health is told when it changes: after so many failures, or so many successes, in a row', async () => {
  // A failure that is alone is no news.
  const script = [undefined, 'down', undefined, 'down', 'still down', 'down', undefined, undefined, undefined]
  const told: (string | undefined)[] = []
  await new Promise<void>((resolve) => {
    const watched = watchWorkload(
      {
        readiness: { check: async () => undefined },
        target: LOCAL,
        probe: {
          initialDelayMs: 0,
          periodMs: 1,
          successes: 1,
          failures: 2,
          ask: async () => {
            if (script.length > 0) return script.shift()
            watched.stop()
            resolve()
            return undefined
          },
        },
      },
      (problem) => told.push(problem),
    )
  })
  expect(told).toEqual([undefined, 'still down', undefined])
})

test('a proxy that is not ready makes its workload not well, and the app is not asked', async () => {
  const told = await new Promise<string | undefined>((resolve) => {
    const watched = watchWorkload(
      {
        readiness: { check: async () => 'Envoy is not live' },
        target: LOCAL,
        probe: { initialDelayMs: 0, periodMs: 1, successes: 1, failures: 1, ask: () => Promise.reject(new Error('asked')) },
      },
      (problem) => {
        watched.stop()
        resolve(problem)
      },
    )
  })
  expect(told).toBe('Envoy is not live')
})
