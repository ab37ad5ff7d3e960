/** The strongest proof that answers are Envoy's: what a real one does with random requests on random routes. */
import { createServer, request as httpRequest, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { create, fromJson, type JsonValue } from '@bufbuild/protobuf'
import { packMessage } from '@lateen/envoy'
import { ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { HttpConnectionManagerSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { envoyRegistry } from '@lateen/envoy/registry'
import { findEnvoy, type RunningEnvoy, runEnvoy } from '@lateen/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Configuration } from './configuration.ts'
import { CLUSTERS, type RandomRequest, request, routeConfiguration } from './testing/random-routes.ts'
import type { TraceCall } from './trace/call.ts'
import type { End, HeaderChange, PathOutcome } from './trace/outcome.ts'
import { trace } from './trace/trace.ts'

const SEED = Number(process.env['SEED'] ?? 20_261_121)
const REQUESTS = Number(process.env['REQUESTS'] ?? 600)
const TYPES = 'type.googleapis.com/envoy.extensions.filters'
const envoy = findEnvoy()

const [routes] = fc.sample(routeConfiguration, { seed: SEED, numRuns: 1 })
const filter = (name: string, type: string) => ({
  name: `envoy.filters.http.${name}`,
  typedConfig: { '@type': `${TYPES}.http.${name}.v3.${type}` },
})
const manager = {
  statPrefix: 'test',
  routeConfig: {
    ...routes,
    responseHeadersToAdd: [
      ...((routes?.['responseHeadersToAdd'] as unknown[]) ?? []),
      { header: { key: 'x-seen', value: '%ROUTE_NAME% %UPSTREAM_CLUSTER%' }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
    ],
  },
  httpFilters: [filter('fault', 'HTTPFault'), filter('rbac', 'RBAC'), filter('router', 'Router')],
  normalizePath: true,
  mergeSlashes: SEED % 2 === 0,
}

describe.skipIf(!envoy)('a traced request ends as in Envoy', () => {
  let echo: Server
  let running: RunningEnvoy
  const requests = fc.sample(request, { seed: SEED + 1, numRuns: REQUESTS })

  beforeAll(async () => {
    echo = createServer((incoming, outgoing) => {
      outgoing.setHeader('content-type', 'application/json')
      outgoing.end(
        JSON.stringify({ method: incoming.method, host: incoming.headers.host, path: incoming.url, headers: incoming.headersDistinct }),
      )
    })
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
    running = await runEnvoy(envoy ?? '', bootstrap((echo.address() as AddressInfo).port))
  })
  afterAll(async () => {
    await running?.stop()
    await new Promise((resolve) => echo.close(resolve))
  })

  test(`${REQUESTS} random requests`, async () => {
    const port = running.ports.get('test') ?? 0
    const configuration = configurationOfTest()
    const ends = new Map<string, number>()
    for (let at = 0; at < requests.length; at += 50) {
      const batch = requests.slice(at, at + 50)
      const answers = await Promise.all(batch.map((one) => ask(port, one)))
      for (const [index, one] of batch.entries()) {
        const { outcomes } = trace(configuration, callOf(one))
        expect(outcomes.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1)
        const answer = answers[index]
        const expected = outcomes.map((outcome) => seen(outcome))
        const fits = expected.some((possible) => JSON.stringify(possible) === JSON.stringify(answer))
        const said = { request: one, answer, expected, routes: routesFor(one, answer?.route ?? '') }
        expect(fits, fits ? '' : JSON.stringify(said, undefined, 1)).toBe(true)
        for (const { end } of outcomes) ends.set(kindOf(end), (ends.get(kindOf(end)) ?? 0) + 1)
      }
    }
    // The proof is worth nothing where nothing was met.
    for (const kind of ['forward', '301', '403', '404', '418', '503']) expect([kind, ends.get(kind) ?? 0]).not.toEqual([kind, 0])
  })
})

/** For the message of a failure: the route that answered, else all that the host has. */
function routesFor(one: RandomRequest, answered: string): unknown {
  const hosts = (routes?.['virtualHosts'] ?? []) as {
    readonly domains: readonly string[]
    readonly routes: readonly { readonly name: string }[]
  }[]
  const own = hosts.find(({ domains }) => domains.includes(one.host.toLowerCase().replace(/:.*/, '')))?.routes ?? []
  return own.find(({ name }) => name === answered) ?? own
}

const kindOf = (end: End): string => (end.kind === 'answer' ? String(end.status) : end.kind)

function bootstrap(echoPort: number) {
  return {
    staticResources: {
      listeners: [
        {
          name: 'test',
          address: { socketAddress: { address: '127.0.0.1', portValue: 0 } },
          filterChains: [
            {
              filters: [
                {
                  name: 'envoy.filters.network.http_connection_manager',
                  typedConfig: { '@type': `${TYPES}.network.http_connection_manager.v3.HttpConnectionManager`, ...manager },
                },
              ],
            },
          ],
        },
      ],
      clusters: CLUSTERS.map((name) => ({
        name,
        type: 'STATIC',
        loadAssignment: {
          clusterName: name,
          endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue: echoPort } } } }] }],
        },
      })),
    },
  }
}

function configurationOfTest(): Configuration {
  const message = fromJson(HttpConnectionManagerSchema, manager as unknown as JsonValue, { registry: envoyRegistry() })
  const listener = create(ListenerSchema, {
    name: 'test',
    address: { address: { case: 'socketAddress', value: { address: '127.0.0.1', portSpecifier: { case: 'portValue', value: 80 } } } },
    filterChains: [
      { filters: [{ name: 'manager', configType: { case: 'typedConfig', value: packMessage(HttpConnectionManagerSchema, message) } }] },
    ],
  })
  const clusters = new Map(CLUSTERS.map((name) => [name as string, create(ClusterSchema, { name })]))
  return { listeners: [listener], routes: new Map(), virtualHosts: new Map(), clusters, assignments: new Map() }
}

const callOf = (one: RandomRequest): TraceCall => ({
  mode: 'gateway',
  destination: { address: '127.0.0.1', port: 80 },
  sourceAddress: '127.0.0.1',
  tls: 'plaintext',
  sni: '',
  alpn: [],
  request: { method: one.method, scheme: 'http', authority: one.host, path: one.path, headers: new Map(Object.entries(one.headers)) },
})

/** What is compared: of headers those that the random routes touch. */
interface Seen {
  readonly status: number
  readonly location: string
  readonly route: string
  readonly cluster: string
  readonly response: Readonly<Record<string, string>>
  readonly received?: Readonly<Record<string, unknown>>
}

/** What a caller and an upstream see of an outcome. */
function seen({ end, route }: PathOutcome): Seen {
  if (end.kind === 'closed') return { status: 0, location: end.why, route: '', cluster: '', response: {} }
  if (end.kind === 'answer') {
    const applied = apply(end.headers)
    return {
      status: end.status,
      location: end.location ?? '',
      ...names(applied['x-seen']),
      response: only('x-r-', applied),
    }
  }
  const sent = end.request
  return {
    status: 200,
    location: '',
    route: route?.name ?? '',
    cluster: end.cluster,
    response: only('x-r-', apply(sent?.responseChanges ?? [])),
    received: {
      method: sent?.method,
      host: sent?.authority,
      path: sent?.path,
      headers: only('x-', Object.fromEntries([...(sent?.headers ?? [])].map(([name, values]) => [name, values.join('|')]))),
    },
  }
}

const UNTOUCHED = /^x-(forwarded-proto|forwarded-for|request-id|envoy-.*|seen)$/

const only = (prefix: string, headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => name.startsWith(prefix) && !UNTOUCHED.test(name))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )

/** Envoy overwrites before it adds; conditional actions are left to the engine's own account. */
function apply(changes: readonly HeaderChange[]): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {}
  for (const { action, name, value } of changes) {
    if (action === 'remove') delete headers[name]
    else headers[name] = action === 'add' && headers[name] !== undefined ? `${headers[name]}|${value}` : (value ?? '')
  }
  return headers
}

const names = (text: string | undefined) => {
  const [route = '', cluster = ''] = (text ?? '').split(' ')
  return { route: route === '-' ? '' : route, cluster: cluster === '-' ? '' : cluster }
}

function ask(port: number, one: RandomRequest): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const headers = { ...Object.fromEntries(Object.entries(one.headers).map(([name, values]) => [name, [...values]])), host: one.host }
    const outgoing = httpRequest({ host: '127.0.0.1', port, method: one.method, path: one.path, headers }, (incoming) => {
      let body = ''
      incoming.on('data', (chunk: Buffer) => (body += chunk.toString()))
      incoming.on('end', () => {
        const status = incoming.statusCode ?? 0
        const raw = joined(incoming.headersDistinct)
        const received = raw['content-type'] === 'application/json' ? (JSON.parse(body) as { headers: NodeJS.Dict<string[]> }) : undefined
        resolve({
          status,
          location: raw['location'] ?? '',
          ...names(raw['x-seen']),
          response: only('x-r-', raw),
          ...(received && { received: { ...received, headers: only('x-', joined(received.headers)) } }),
        })
      })
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

const joined = (headers: NodeJS.Dict<string[]>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, (values ?? []).join('|')]))
