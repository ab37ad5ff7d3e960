/** Kubernetes Ingress, served by the mesh's ingress gateway. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Authority, newAuthority } from '../../harness/authority.ts'
import { type Answer, type CallSpec, documents, type Echo, echoService } from '../../harness/echo.ts'
import { DRIVER, deployEcho, GATEWAY_URL } from '../../harness/echo-mesh.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../../harness/mesh.ts'
import { secret } from '../../harness/objects.ts'

interface Options {
  readonly namespace?: string
  readonly annotations?: Readonly<Record<string, string>>
  /** Null for none. */
  readonly className?: string | null
}

const ingress = (name: string, spec: object, { namespace = 'feat', annotations = {}, className = 'istio' }: Options = {}) =>
  documents({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace, annotations },
    spec: { ...(className === null ? {} : { ingressClassName: className }), ...spec },
  })

const backend = (name: string, port: object = { number: 80 }) => ({ service: { name, port } })
const path = (value: string, name: string, pathType = 'Prefix', port?: object) => ({ path: value, pathType, backend: backend(name, port) })
const rule = (host: string, ...paths: readonly object[]) => ({ host, http: { paths } })

/** In the order in which they are made: which object is the oldest is of weight. */
const INGRESSES = [
  ingress('paths', {
    rules: [
      rule(
        'paths.example',
        path('/prefix', 'alpha'),
        path('/exact', 'alpha', 'Exact'),
        path('/plain', 'alpha', 'ImplementationSpecific'),
        path('/star/*', 'alpha', 'ImplementationSpecific'),
        path('/dots.*', 'alpha', 'ImplementationSpecific'),
      ),
    ],
  }),
  ingress('order', {
    rules: [
      rule(
        'order.example',
        path('/', 'alpha'),
        path('/a', 'alpha'),
        path('/a/b', 'beta'),
        path('/same', 'beta'),
        path('/same', 'alpha', 'Exact'),
      ),
    ],
  }),
  ingress('first', { rules: [rule('shared.example', path('/', 'alpha'), path('/both', 'alpha'))] }),
  ingress('second', { rules: [rule('shared.example', path('/longer/path', 'beta'), path('/both', 'beta'))] }),
  ingress('named-port', { rules: [rule('named.example', path('/', 'alpha', 'Prefix', { name: 'http' }))] }),
  ingress('wild', { rules: [rule('*.wild.example', path('/', 'alpha')), rule('own.wild.example', path('/', 'beta'))] }),
  ingress(
    'annotated',
    { rules: [rule('annotated.example', path('/', 'alpha'))] },
    { className: null, annotations: { 'kubernetes.io/ingress.class': 'istio' } },
  ),
  ingress('foreign', { rules: [rule('foreign.example', path('/', 'alpha'))] }, { className: 'nginx' }),
  ingress('unclassed', { rules: [rule('unclassed.example', path('/', 'alpha'))] }, { className: null }),
  ingress('custom', { rules: [rule('custom.example', path('/', 'alpha'))] }, { className: 'own-class' }),
  ingress('other', { rules: [rule('other.example', path('/', 'away'))] }, { namespace: 'other' }),
  ingress('secured', {
    tls: [{ hosts: ['secured.example'], secretName: 'secured-cert' }],
    rules: [rule('secured.example', path('/', 'alpha'))],
  }),
].join('')

const OBJECTS = [
  echoService({ name: 'alpha', namespace: 'feat' }),
  echoService({ name: 'beta', namespace: 'feat' }),
  echoService({ name: 'away', namespace: 'other' }),
  documents({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: { name: 'own-class' },
    spec: { controller: 'istio.io/ingress-controller' },
  }),
].join('')

describeWithMesh('an Ingress', (mesh) => {
  let echo: Echo
  let authority: Authority
  beforeAll(async () => {
    if (whySkipped()) return
    authority = await newAuthority('example')
    const { certificate, key } = await authority.issue('secured.example')
    echo = await deployEcho(
      mesh(),
      [
        { name: 'alpha', namespace: 'feat' },
        { name: 'beta', namespace: 'feat' },
        { name: 'away', namespace: 'other' },
      ],
      OBJECTS + INGRESSES + secret('secured-cert', 'istio-system', { 'tls.crt': certificate, 'tls.key': key }),
    )
    // The Gateway of the harness has every host on this port, which no Ingress shares.
    await mesh().kubectl('delete', 'gateways.networking.istio.io', 'front', '-n', 'feat')
    await eventually(async () => expect(await get('order.example')).toMatchObject({ status: 200 }))
    await eventually(async () => expect(await get('other.example')).toMatchObject({ status: 200 }))
  })
  afterAll(() => echo?.close())

  const get = (host: string, where = '/', more: Partial<CallSpec> = {}): Promise<Answer> =>
    echo.callOnce(DRIVER, { url: `${GATEWAY_URL}${where}`, ...more, headers: { host, ...more.headers } })
  const pods = async (host: string, ...where: readonly string[]) => Promise.all(where.map(async (one) => (await get(host, one)).pod))

  test('Prefix: whole elements of the path, with and without a slash at the end', async () => {
    expect(await pods('paths.example', '/prefix', '/prefix/', '/prefix/more?q=1')).toEqual(['alpha', 'alpha', 'alpha'])
    expect(await get('paths.example', '/prefixed')).toMatchObject({ status: 404 })
    expect((await get('paths.example', '/prefix/more')).echo).toMatchObject({ path: '/prefix/more', authority: 'paths.example' })
  })

  test('Exact: that path alone', async () => {
    expect(await get('paths.example', '/exact')).toMatchObject({ status: 200, pod: 'alpha' })
    for (const where of ['/exact/', '/exact/more', '/exactly'])
      expect(await get('paths.example', where), where).toMatchObject({ status: 404 })
  })

  test('ImplementationSpecific: that path alone, unless it ends in a wildcard', async () => {
    expect(await pods('paths.example', '/plain', '/star/more', '/dots/more')).toEqual(['alpha', 'alpha', 'alpha'])
    expect(await get('paths.example', '/plain/more')).toMatchObject({ status: 404 })
  })

  test('the longest path comes first, and an exact one before a prefix', async () => {
    expect(await pods('order.example', '/', '/a', '/a/b', '/a/b/c', '/a/c')).toEqual(['alpha', 'alpha', 'beta', 'beta', 'alpha'])
    expect(await pods('order.example', '/same', '/same/more')).toEqual(['alpha', 'beta'])
  })

  test('several Ingresses share a host: of equal paths the older one’s is taken', async () => {
    expect(await pods('shared.example', '/', '/longer/path/x', '/both')).toEqual(['alpha', 'beta', 'alpha'])
  })

  test('a port is named by number or by name', async () => {
    expect(await get('named.example')).toMatchObject({ status: 200, pod: 'alpha' })
  })

  test('a wildcard host takes what no longer name takes', async () => {
    expect(await pods('any.wild.example', '/')).toEqual(['alpha'])
    expect(await pods('own.wild.example', '/')).toEqual(['beta'])
    expect(await get('wild.example')).toMatchObject({ status: 404 })
  })

  test('classes: its IngressClass names the mesh’s controller, or its annotation the mesh’s class', async () => {
    for (const host of ['annotated.example', 'custom.example']) expect(await get(host), host).toMatchObject({ status: 200, pod: 'alpha' })
    for (const host of ['foreign.example', 'unclassed.example']) expect(await get(host), host).toMatchObject({ status: 404 })
  })

  test('its services are those of its own namespace', async () => {
    expect(await get('other.example')).toMatchObject({ status: 200, pod: 'away' })
  })

  test('tls: a certificate for its hosts, out of the gateway’s namespace; plain requests are served too', async () => {
    const tls = { url: 'https://istio-ingressgateway.istio-system/', servername: 'secured.example', ca: authority.certificate }
    await eventually(async () =>
      expect(await get('secured.example', '/', tls)).toMatchObject({ status: 200, pod: 'alpha', peer: 'DNS:secured.example' }),
    )
    expect(await get('secured.example', '/', { ...tls, servername: 'paths.example' })).toMatchObject({ status: 0 })
    expect(await get('secured.example')).toMatchObject({ status: 200, pod: 'alpha' })
  })

  test('a default backend takes what no rule takes', async () => {
    expect(await get('nobody.example')).toMatchObject({ status: 404 })
    await mesh().apply(ingress('fallback', { defaultBackend: backend('beta'), rules: [rule('fallback.example', path('/known', 'alpha'))] }))
    await eventually(async () => expect(await get('fallback.example', '/known')).toMatchObject({ status: 200, pod: 'alpha' }))
    expect(await pods('fallback.example', '/else')).toEqual(['beta'])
    expect(await pods('nobody.example', '/')).toEqual(['beta'])
    // Rules of others stay as they are.
    expect(await get('paths.example', '/else')).toMatchObject({ status: 404 })
  })

  test('an Ingress that goes takes its routes with it', async () => {
    await mesh().kubectl('delete', 'ingress', 'second', '-n', 'feat')
    await eventually(async () => expect(await pods('shared.example', '/longer/path')).toEqual(['alpha']))
  })
})
