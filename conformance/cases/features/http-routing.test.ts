/** What a VirtualService's `http` does with a request: which route takes it, and what becomes of it. Seen by the app that receives it. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, type Echo, echoService } from '../../harness/echo.ts'
import { type Ask, ask, askOnce, deployEcho, NOWHERE_URL, OTHER_CALLER, routed, type Way } from '../../harness/echo-mesh.ts'
import { askEnvoy } from '../../harness/envoy-admin.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../../harness/mesh.ts'
import { networking } from '../../harness/objects.ts'

const WAYS: readonly Way[] = ['gateway', 'sidecar']
const ECHO = 'echo.feat.svc.cluster.local'
const to = (subset: string, more: object = {}) => [{ destination: { host: ECHO, subset }, ...more }]

/** A route that says its name to the app. */
const named = (name: string, match: readonly object[] = [], more: object = {}) => ({
  name,
  ...(match.length > 0 ? { match } : {}),
  route: to('v1'),
  headers: { request: { set: { 'x-route': name } } },
  ...more,
})

/** A VirtualService of its own for a host, for the gateway and for sidecars. */
const virtualService = (name: string, http: readonly object[], more: object = {}, namespace = 'feat') =>
  networking('VirtualService', { name, namespace }, { hosts: [`${name}.example`], gateways: ['mesh', 'feat/front'], http, ...more })

const OBJECTS = [
  echoService({ name: 'echo', namespace: 'feat', ports: { http: [80, 8080], 'http-more': [81, 8081] } }),
  networking(
    'DestinationRule',
    { name: 'echo', namespace: 'feat' },
    {
      host: 'echo',
      subsets: [
        { name: 'v1', labels: { version: 'v1' } },
        { name: 'v2', labels: { version: 'v2' } },
      ],
    },
  ),
  virtualService('match', [
    named('uri-exact', [{ uri: { exact: '/exact' } }]),
    named('uri-prefix', [{ uri: { prefix: '/prefix/' } }]),
    named('uri-regex', [{ uri: { regex: '/v[0-9]+/(cart|order)' } }]),
    named('uri-any-case', [{ uri: { prefix: '/Loud' }, ignoreUriCase: true }]),
    named('method', [{ uri: { exact: '/m' }, method: { exact: 'DELETE' } }]),
    named('scheme', [{ uri: { exact: '/scheme' }, scheme: { exact: 'http' } }]),
    named('header-exact', [{ uri: { exact: '/h' }, headers: { 'x-user': { exact: 'jason' } } }]),
    named('header-prefix', [{ uri: { exact: '/h' }, headers: { 'x-user': { prefix: 'adm-' } } }]),
    named('header-regex', [{ uri: { exact: '/h' }, headers: { 'x-user': { regex: '[0-9]{3}' } } }]),
    named('header-present', [{ uri: { exact: '/h' }, headers: { 'x-any': {} } }]),
    named('header-absent', [{ uri: { exact: '/without' }, withoutHeaders: { 'x-user': { exact: 'jason' } } }]),
    named('query-exact', [{ uri: { exact: '/q' }, queryParams: { color: { exact: 'red' } } }]),
    named('query-prefix', [{ uri: { exact: '/q' }, queryParams: { color: { prefix: 'blu' } } }]),
    named('query-regex', [{ uri: { exact: '/q' }, queryParams: { size: { regex: '[0-9]+' } } }]),
    named('all-of', [
      { uri: { prefix: '/all' }, method: { exact: 'PUT' }, headers: { 'x-one': { exact: '1' } }, queryParams: { two: { exact: '2' } } },
    ]),
    named('one-of', [{ uri: { exact: '/one' } }, { headers: { 'x-or': { exact: 'yes' } } }]),
    named('first', [{ uri: { prefix: '/order' } }]),
    named('second', [{ uri: { exact: '/order/2' } }]),
    named('rest'),
  ]),
  virtualService(
    'authority',
    [
      named('exact', [{ authority: { exact: 'authority.example' } }]),
      named('prefix', [{ authority: { prefix: 'pre.' } }]),
      named('regex', [{ authority: { regex: 'r[0-9]\\.authority\\.example' } }]),
      named('rest'),
    ],
    { hosts: ['authority.example', '*.authority.example', 'pre.example'] },
  ),
  virtualService('wild', [named('wild')], { hosts: ['*.wild.example'] }),
  virtualService('inner-wild', [named('inner')], { hosts: ['inner.wild.example'] }),
  virtualService('port', [named('this', [{ port: 80 }]), named('other', [{ port: 81 }])]),
  virtualService('gateways', [named('by-gateway', [{ gateways: ['feat/front'] }]), named('by-sidecar', [{ gateways: ['mesh'] }])]),
  virtualService('labels', [
    named('mine', [{ sourceLabels: { app: 'caller', role: 'buyer' } }]),
    named('others', [{ sourceLabels: { role: 'seller' } }]),
    named('rest'),
  ]),
  virtualService('namespace', [named('other', [{ sourceNamespace: 'other' }]), named('rest')]),
  virtualService('stat', [named('counted', [{ uri: { prefix: '/' }, statPrefix: 'shop_cart' }])]),
  virtualService('rewrite', [
    named('prefix', [{ uri: { prefix: '/api/' } }], { rewrite: { uri: '/v2/' } }),
    named('exact', [{ uri: { exact: '/old' } }], { rewrite: { uri: '/new' } }),
    named('regex', [{ uri: { prefix: '/users/' } }], {
      rewrite: { uriRegexRewrite: { match: '^/users/([^/]+)/(.*)$', rewrite: '/\\2/of/\\1' } },
    }),
    named('authority', [{ uri: { prefix: '/host' } }], { rewrite: { authority: 'inner.example' } }),
    named('both', [{ uri: { prefix: '/both' } }], { rewrite: { uri: '/', authority: 'both.example' } }),
    named('rest'),
  ]),
  virtualService('redirect', [
    {
      match: [{ uri: { exact: '/all' } }],
      redirect: { uri: '/there', authority: 'else.example', port: 8443, scheme: 'https', redirectCode: 308 },
    },
    { match: [{ uri: { exact: '/uri' } }], redirect: { uri: '/there' } },
    { match: [{ uri: { exact: '/derived' } }], redirect: { scheme: 'https', derivePort: 'FROM_PROTOCOL_DEFAULT' } },
    { match: [{ uri: { exact: '/request-port' } }], redirect: { authority: 'else.example', derivePort: 'FROM_REQUEST_PORT' } },
    { match: [{ uri: { prefix: '/pre/' } }], redirect: { uri: '%PREFIX()%/post/' } },
    ...[302, 303, 307].map((redirectCode) => ({
      match: [{ uri: { exact: `/${redirectCode}` } }],
      redirect: { uri: '/there', redirectCode },
    })),
    named('rest'),
  ]),
  virtualService('direct', [
    {
      match: [{ uri: { prefix: '/text' } }],
      directResponse: { status: 418, body: { string: 'short and stout' } },
      headers: { response: { set: { 'content-type': 'text/tea' } } },
    },
    {
      match: [{ uri: { prefix: '/bytes' } }],
      directResponse: { status: 203, body: { bytes: Buffer.from('by the byte').toString('base64') } },
    },
    { match: [{ uri: { prefix: '/empty' } }], directResponse: { status: 204 } },
    named('rest'),
  ]),
  virtualService('headers', [
    {
      headers: {
        request: { set: { 'x-set': 'route', host: 'renamed.example' }, add: { 'x-add': 'route' }, remove: ['x-gone'] },
        response: { set: { 'x-answer': 'route' }, add: { 'x-added': 'route' }, remove: ['x-secret'] },
      },
      route: to('v1', {
        headers: {
          request: { set: { 'x-dest': 'v1' }, add: { 'x-add': 'dest' }, remove: ['x-dest-gone'] },
          response: { set: { 'x-dest-answer': 'v1' }, add: { 'x-added': 'dest' }, remove: ['x-dest-secret'] },
        },
      }),
    },
  ]),
  virtualService('cors', [
    named('full', [{ uri: { prefix: '/full' } }], {
      corsPolicy: {
        allowOrigins: [{ exact: 'https://shop.example' }, { prefix: 'https://a.' }, { regex: 'https://b[0-9]+\\.example' }],
        allowMethods: ['GET', 'PUT'],
        allowHeaders: ['x-asked', 'content-type'],
        exposeHeaders: ['x-shown'],
        maxAge: '90s',
        allowCredentials: true,
      },
    }),
    named('old', [{ uri: { prefix: '/old' } }], { corsPolicy: { allowOrigin: ['https://shop.example'], allowMethods: ['GET'] } }),
    named('ignore', [{ uri: { prefix: '/ignore' } }], {
      corsPolicy: { allowOrigins: [{ exact: 'https://shop.example' }], allowMethods: ['GET'], unmatchedPreflights: 'IGNORE' },
    }),
    named('forward', [{ uri: { prefix: '/forward' } }], {
      corsPolicy: { allowOrigins: [{ exact: 'https://shop.example' }], allowMethods: ['GET'], unmatchedPreflights: 'FORWARD' },
    }),
    named('rest'),
  ]),
  virtualService('delegate', [
    { match: [{ uri: { prefix: '/cart' } }], delegate: { name: 'cart', namespace: 'other' } },
    { match: [{ uri: { prefix: '/here' }, headers: { 'x-root': { exact: '1' } } }], delegate: { name: 'here' } },
    named('rest'),
  ]),
  networking(
    'VirtualService',
    { name: 'cart', namespace: 'other' },
    { http: [named('cart-items', [{ uri: { prefix: '/cart/items' } }]), named('cart-rest')] },
  ),
  networking('VirtualService', { name: 'here', namespace: 'feat' }, { http: [named('here-get', [{ method: { exact: 'GET' } }])] }),
  virtualService('merged-1', [named('one', [{ uri: { prefix: '/one' } }]), named('one-both', [{ uri: { prefix: '/both' } }])], {
    hosts: ['merged.example'],
    gateways: ['feat/front'],
  }),
  virtualService(
    'merged-2',
    [named('two', [{ uri: { prefix: '/two' } }]), named('two-both', [{ uri: { prefix: '/both' } }]), named('two-rest')],
    {
      hosts: ['merged.example'],
      gateways: ['feat/front'],
    },
  ),
  virtualService('destination', [
    named('short', [{ uri: { prefix: '/short' } }], { route: [{ destination: { host: 'echo', port: { number: 80 }, subset: 'v2' } }] }),
    named('port', [{ uri: { prefix: '/port' } }], { route: [{ destination: { host: ECHO, port: { number: 81 } } }] }),
    named('subset', [{ uri: { prefix: '/subset' } }], { route: to('v2') }),
    named('missing', [{ uri: { prefix: '/missing' } }], { route: [{ destination: { host: 'no-such.feat.svc.cluster.local' } }] }),
    named('rest'),
  ]),
  virtualService('private', [named('private')], { exportTo: ['.'], gateways: ['mesh'] }, 'other'),
  virtualService('shared', [named('shared')], { exportTo: ['feat'], gateways: ['mesh'] }, 'other'),
]

const BOTH = [
  ...[
    'match',
    'authority',
    'port',
    'gateways',
    'labels',
    'namespace',
    'stat',
    'rewrite',
    'redirect',
    'direct',
    'headers',
    'cors',
    'delegate',
    'destination',
  ],
].map((name) => `${name}.example`)

describeWithMesh('HTTP routing', (mesh) => {
  let echo: Echo

  beforeAll(async () => {
    if (whySkipped()) return
    const pods = ['v1', 'v2'].map((version) => ({
      name: `echo-${version}`,
      namespace: 'feat',
      labels: { app: 'echo', version },
      listen: ['8080=http', '8081=http'],
    }))
    const callers = ['feat', 'other'].map((namespace) => ({ name: 'caller', namespace, labels: { role: 'buyer' } }))
    echo = await deployEcho(mesh(), [...pods, ...callers], OBJECTS.join(''))
    await routed(echo, {
      gateway: [...BOTH, 'a.wild.example', 'merged.example'],
      sidecar: [...BOTH, 'a.wild.example', 'shared.example'],
    })
  })

  afterAll(async () => {
    await echo?.close()
  })

  /** The route that took the request, as the app was told; else the answer's status. */
  const routeOf = async (way: Way, what: Ask) => nameOf(await askOnce(echo, way, what))
  const nameOf = ({ echo: seen, status }: Answer) => String(seen?.headers['x-route'] ?? status)

  describe.each(WAYS)('by %s', (way) => {
    const match = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
      routeOf(way, { host: 'match.example', path, headers, method })

    test('a path matches exactly, by prefix or by expression', async () => {
      expect(await match('/exact')).toBe('uri-exact')
      expect(await match('/exact?with=query')).toBe('uri-exact')
      expect(await match('/exact/more')).toBe('rest')
      expect(await match('/prefix/of/it')).toBe('uri-prefix')
      expect(await match('/prefix')).toBe('rest')
      expect(await match('/v12/order')).toBe('uri-regex')
      expect(await match('/v12/order/5')).toBe('rest')
    })

    test('a path matches whatever its case where the match says so', async () => {
      expect(await match('/lOUD/er')).toBe('uri-any-case')
      expect(await match('/EXACT')).toBe('rest')
    })

    test('a method and a scheme match', async () => {
      expect(await match('/m', {}, 'DELETE')).toBe('method')
      expect(await match('/m')).toBe('rest')
      expect(await match('/scheme')).toBe('scheme')
    })

    test('a header matches exactly, by prefix, by expression or by being there', async () => {
      expect(await match('/h', { 'x-user': 'jason' })).toBe('header-exact')
      expect(await match('/h', { 'x-user': 'adm-1' })).toBe('header-prefix')
      expect(await match('/h', { 'x-user': '123' })).toBe('header-regex')
      expect(await match('/h', { 'x-user': '1234' })).toBe('rest')
      expect(await match('/h', { 'x-any': 'thing' })).toBe('header-present')
      expect(await match('/h')).toBe('rest')
    })

    test('a match asks for a header not to be so', async () => {
      expect(await match('/without')).toBe('header-absent')
      expect(await match('/without', { 'x-user': 'other' })).toBe('header-absent')
      expect(await match('/without', { 'x-user': 'jason' })).toBe('rest')
    })

    test('a query parameter matches exactly, by prefix or by expression', async () => {
      expect(await match('/q?color=red')).toBe('query-exact')
      expect(await match('/q?a=b&color=blue')).toBe('query-prefix')
      expect(await match('/q?size=42')).toBe('query-regex')
      expect(await match('/q?size=big')).toBe('rest')
      expect(await match('/q')).toBe('rest')
    })

    test('conditions of one match must all hold, of several matches one, and the first route wins', async () => {
      expect(await match('/all?two=2', { 'x-one': '1' }, 'PUT')).toBe('all-of')
      expect(await match('/all?two=2', { 'x-one': '1' })).toBe('rest')
      expect(await match('/all?two=3', { 'x-one': '1' }, 'PUT')).toBe('rest')
      expect(await match('/one')).toBe('one-of')
      expect(await match('/any', { 'x-or': 'yes' })).toBe('one-of')
      expect(await match('/order/2')).toBe('first')
    })

    test('an authority matches exactly, by prefix or by expression', async () => {
      expect(await routeOf(way, { host: 'authority.example' })).toBe('exact')
      expect(await routeOf(way, { host: 'pre.example' })).toBe('prefix')
      expect(await routeOf(way, { host: 'r7.authority.example' })).toBe('regex')
      expect(await routeOf(way, { host: 'rest.authority.example' })).toBe('rest')
    })

    test('a wildcard host takes what no longer name takes', async () => {
      expect(await routeOf(way, { host: 'any.wild.example' })).toBe('wild')
      expect(await routeOf(way, { host: 'a.b.wild.example' })).toBe('wild')
      expect(await routeOf(way, { host: 'inner.wild.example' })).toBe('inner')
      expect(await routeOf(way, { host: 'wild.example' })).toBe(way === 'gateway' ? '404' : '503')
    })

    test('a match is for one port, and for one kind of caller', async () => {
      expect(await routeOf(way, { host: 'port.example' })).toBe('this')
      expect(await routeOf(way, { host: 'gateways.example' })).toBe(`by-${way}`)
    })

    test('a match by source looks at the labels and the namespace of the caller', async () => {
      // At a gateway no caller is known: such matches are for sidecars alone.
      expect(await routeOf(way, { host: 'labels.example' })).toBe(way === 'gateway' ? 'rest' : 'mine')
      expect(await routeOf(way, { host: 'namespace.example' })).toBe('rest')
      const [answer] = await echo.call(OTHER_CALLER, { url: NOWHERE_URL, headers: { host: 'namespace.example' } })
      expect(answer && nameOf(answer)).toBe('other')
    })

    test('a rewrite changes path and authority as the app sees them', async () => {
      const seen = async (path: string) => (await askOnce(echo, way, { host: 'rewrite.example', path })).echo
      expect(await seen('/api/cart?x=1')).toMatchObject({ path: '/v2/cart?x=1', authority: 'rewrite.example' })
      expect(await seen('/old')).toMatchObject({ path: '/new' })
      expect(await seen('/users/ann/orders/7?a=b')).toMatchObject({ path: '/orders/7/of/ann?a=b' })
      expect(await seen('/host/x')).toMatchObject({ path: '/host/x', authority: 'inner.example' })
      expect(await seen('/both')).toMatchObject({ path: '/', authority: 'both.example' })
    })

    test('a redirect is answered with its place and code, and never reaches the app', async () => {
      const redirected = async (path: string) => {
        const { status, headers, pod } = await askOnce(echo, way, { host: 'redirect.example', path })
        expect(pod).toBe('')
        return `${status} ${headers['location']}`
      }
      expect(await redirected('/all')).toBe('308 https://else.example:8443/there')
      expect(await redirected('/uri')).toBe('301 http://redirect.example/there')
      expect(await redirected('/derived')).toBe('301 https://redirect.example/derived')
      expect(await redirected('/request-port')).toMatch(/^301 http:\/\/else\.example(:80)?\/request-port$/)
      expect(await redirected('/pre/x')).toBe('301 http://redirect.example/post/x')
      for (const code of [302, 303, 307]) expect(await redirected(`/${code}`)).toBe(`${code} http://redirect.example/there`)
    })

    test('a direct response is answered without the app', async () => {
      const direct = (path: string) => askOnce(echo, way, { host: 'direct.example', path })
      const text = await direct('/text')
      expect(text).toMatchObject({ status: 418, body: 'short and stout', pod: '' })
      expect(text.headers['content-type']).toBe('text/tea')
      expect(await direct('/bytes')).toMatchObject({ status: 203, body: 'by the byte' })
      expect(await direct('/empty')).toMatchObject({ status: 204, body: '' })
      expect((await direct('/other')).echo?.headers['x-route']).toBe('rest')
    })

    test('headers are set, added and removed, by the route and by the destination', async () => {
      const path = ['x-secret:1', 'x-dest-secret:1', 'x-answer:app', 'x-dest-answer:app', 'x-added:app']
        .map((header) => `header=${header}`)
        .join('&')
      const { echo: seen, headers } = await askOnce(echo, way, {
        host: 'headers.example',
        path: `/?${path}`,
        headers: { 'x-set': 'caller', 'x-add': 'caller', 'x-gone': '1', 'x-dest-gone': '1', 'x-stays': '1' },
      })
      expect(seen?.headers).toMatchObject({ 'x-set': 'route', 'x-dest': 'v1', 'x-stays': '1' })
      expect(String(seen?.headers['x-add']).split(/, ?/).sort()).toEqual(['caller', 'dest', 'route'])
      expect(seen?.headers).not.toHaveProperty('x-gone')
      expect(seen?.headers).not.toHaveProperty('x-dest-gone')
      expect(seen?.authority).toBe('renamed.example')
      expect(headers).toMatchObject({ 'x-answer': 'route', 'x-dest-answer': 'v1' })
      expect(String(headers['x-added']).split(/, ?/).sort()).toEqual(['app', 'dest', 'route'])
      expect(headers).not.toHaveProperty('x-secret')
      expect(headers).not.toHaveProperty('x-dest-secret')
    })

    test('CORS: a preflight of an allowed origin is answered by the proxy, with what is allowed', async () => {
      for (const origin of ['https://shop.example', 'https://a.example', 'https://b12.example']) {
        const { status, headers, pod } = await preflight(way, '/full', origin)
        expect({ status, pod }).toEqual({ status: 200, pod: '' })
        expect(headers).toMatchObject({
          'access-control-allow-origin': origin,
          'access-control-allow-methods': 'GET,PUT',
          'access-control-allow-headers': 'x-asked,content-type',
          'access-control-max-age': '90',
          'access-control-allow-credentials': 'true',
        })
      }
      const { headers } = await askOnce(echo, way, { host: 'cors.example', path: '/full', headers: { origin: 'https://shop.example' } })
      expect(headers).toMatchObject({ 'access-control-allow-origin': 'https://shop.example', 'access-control-expose-headers': 'x-shown' })
      expect((await preflight(way, '/old', 'https://shop.example')).headers['access-control-allow-origin']).toBe('https://shop.example')
    })

    test('CORS: a preflight of another origin is forwarded or answered, as the policy says', async () => {
      const forwarded = await preflight(way, '/forward', 'https://bad.example')
      expect(forwarded.echo).toMatchObject({ method: 'OPTIONS' })
      expect(forwarded.headers).not.toHaveProperty('access-control-allow-origin')
      const ignored = await preflight(way, '/ignore', 'https://bad.example')
      expect(ignored).toMatchObject({ status: 200, pod: '' })
      expect(ignored.headers).not.toHaveProperty('access-control-allow-origin')
    })

    test('a delegate of another namespace has the routes below its prefix', async () => {
      const route = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
        routeOf(way, { host: 'delegate.example', path, headers, method })
      expect(await route('/cart/items/5')).toBe('cart-items')
      expect(await route('/cart/7')).toBe('cart-rest')
      expect(await route('/here', { 'x-root': '1' })).toBe('here-get')
      expect(await route('/here')).toBe('rest')
      expect(await route('/other')).toBe('rest')
    })

    test('a destination names host, port and subset', async () => {
      const seen = async (path: string) => (await askOnce(echo, way, { host: 'destination.example', path })).echo
      expect(await seen('/short')).toMatchObject({ pod: 'echo-v2', port: 8080 })
      expect(await seen('/port')).toMatchObject({ port: 8081 })
      const answers = await ask(echo, way, { host: 'destination.example', path: '/subset', count: 40 })
      expect(new Set(answers.map(({ pod }) => pod))).toEqual(new Set(['echo-v2']))
    })

    test('a route to a service that is not there answers with an error, and the other routes work', async () => {
      const { status } = await askOnce(echo, way, { host: 'destination.example', path: '/missing' })
      expect([500, 503]).toContain(status)
      expect(await routeOf(way, { host: 'destination.example' })).toBe('rest')
    })

    const preflight = (by: Way, path: string, origin: string) =>
      askOnce(echo, by, {
        host: 'cors.example',
        path,
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-asked' },
      })
  })

  test('VirtualServices of one host are merged at a gateway, the older first', async () => {
    const route = (path: string) => routeOf('gateway', { host: 'merged.example', path })
    await eventually(async () => expect([await route('/one'), await route('/two')]).toEqual(['one', 'two']))
    expect(await route('/both')).toBe('one-both')
    expect(await route('/rest')).toBe('two-rest')
  })

  test('a VirtualService is seen only in the namespaces that it is exported to', async () => {
    expect(await routeOf('sidecar', { host: 'shared.example' })).toBe('shared')
    expect(await routeOf('sidecar', { host: 'private.example' })).toBe('503')
    const inside = async (host: string) => {
      const [answer] = await echo.call(OTHER_CALLER, { url: NOWHERE_URL, headers: { host } })
      return answer && nameOf(answer)
    }
    expect(await inside('private.example')).toBe('private')
    expect(await inside('shared.example')).toBe('503')
  })

  test('a route with a statPrefix has counters of its own', async () => {
    await eventually(async () => {
      await askOnce(echo, 'sidecar', { host: 'stat.example' })
      const stats = await askEnvoy(mesh(), 'caller', 'stats?filter=shop_cart')
      expect(stats).toMatch(/route\.shop_cart\S*\.upstream_rq_total: [1-9]/)
    })
  })

  test('a route of a service applies to its own name, to its short name and to its address', async () => {
    await mesh().apply(
      networking(
        'VirtualService',
        { name: 'echo', namespace: 'feat' },
        { hosts: ['echo'], http: [named('of-service', [], { route: [{ destination: { host: 'echo', subset: 'v2' } }] })] },
      ),
    )
    const address = await mesh().kubectl('get', 'service', 'echo', '-n', 'feat', '-o', 'jsonpath={.spec.clusterIP}')
    for (const host of ['echo', 'echo.feat', ECHO, address]) {
      await eventually(async () => {
        const answer = await echo.callOnce('feat/caller', { url: `http://${host}/` })
        expect([nameOf(answer), answer.pod]).toEqual(['of-service', 'echo-v2'])
      })
    }
  })
})
