import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import https from 'node:https'
import { status as Status } from '@grpc/grpc-js'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { setLogSink } from '@lateen/base'
import { createSelfSignedRoot } from '@lateen/ca'
import { TYPE_URL } from '@lateen/envoy'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestCluster, type TestCluster } from '../testdata/test-cluster.ts'
import { type Caller, openStream, requestCertificate, type TestStream } from '../testdata/test-proxy.ts'
import type { ControlPlane } from './control-plane.ts'
import { debugTokenPath } from './debug/debug-access.ts'

const { ConfigMap, DestinationRule, Event, MutatingWebhookConfiguration, Secret, Service } = RESOURCE_TYPES
const ROOT_MAP = 'istio-ca-root-cert'
const log: string[] = []

let cluster: TestCluster
let plane: ControlPlane
let roots = ''

beforeAll(async () => {
  setLogSink((line) => log.push(line))
  cluster = await startTestCluster()
  await cluster.createNamespace('shop')
  plane = await cluster.startControlPlane()
  roots = rootsOf(await cluster.until(ConfigMap, 'shop', ROOT_MAP, () => true))
}, 60_000)
afterAll(() => cluster.close(), 60_000)

const rootsOf = ({ data }: KubeObject): string =>
  typeof data === 'object' && data !== null && 'root-cert.pem' in data ? String(data['root-cert.pem']) : ''
const secure = (extra: Partial<Caller> = {}): Caller => ({ port: plane.ports.secureGrpc ?? 0, roots, ...extra })
const leafOf = (chain: readonly string[]) => new X509Certificate(chain[0] ?? '')

describe('certificates', () => {
  test('a service account token gets a certificate of that account, whatever the request asks for', async () => {
    const token = await cluster.token('shop', 'cart')
    const { chain } = await requestCertificate(secure({ token }))
    const leaf = leafOf(chain)
    expect(leaf.subjectAltName).toBe('URI:spiffe://cluster.local/ns/shop/sa/cart')
    expect(leaf.checkIssued(new X509Certificate(chain.at(-1) ?? ''))).toBe(true)
    expect(chain.at(-1)?.trim()).toBe(roots.trim())
  })

  test('a certificate is renewed by showing it', async () => {
    const first = await requestCertificate(secure({ token: await cluster.token('shop', 'cart') }))
    const second = await requestCertificate(secure({ certificate: { chain: first.chain.join(''), key: first.key } }))
    expect(leafOf(second.chain).subjectAltName).toBe('URI:spiffe://cluster.local/ns/shop/sa/cart')
  })

  test('the lifetime asked for is bounded', async () => {
    const token = await cluster.token('shop', 'cart')
    const days = async (seconds: number) => {
      const leaf = leafOf((await requestCertificate(secure({ token }), seconds)).chain)
      return Math.round((leaf.validToDate.getTime() - Date.now()) / 86_400_000)
    }
    expect([await days(0), await days(3600 * 24 * 7)]).toEqual([1, 7])
    await expect(days(3600 * 24 * 365)).rejects.toMatchObject({
      code: Status.INVALID_ARGUMENT,
      details: expect.stringContaining('at most 2160 h are granted'),
    })
  })

  test('without a token, with one for another audience, or with a forged one, none is signed', async () => {
    const refused = expect.objectContaining({ code: Status.UNAUTHENTICATED })
    const good = await cluster.token('shop', 'cart')
    const [header, , signature] = good.split('.')
    const forged = [
      header,
      Buffer.from(JSON.stringify({ sub: 'system:serviceaccount:shop:admin', exp: 4e9 })).toString('base64url'),
      signature,
    ].join('.')
    await expect(requestCertificate(secure())).rejects.toEqual(refused)
    await expect(requestCertificate(secure({ token: await cluster.token('shop', 'cart', 'vault') }))).rejects.toEqual(refused)
    await expect(requestCertificate(secure({ token: forged }))).rejects.toEqual(refused)
    await expect(requestCertificate(secure({ token: 'x'.repeat(8_000) }))).rejects.toEqual(refused)
  })

  test('a certificate of another CA is no identity', async () => {
    const other = createSelfSignedRoot({ organization: 'cluster.local', now: Date.now() })
    const caller = secure({ certificate: { chain: other.certPem, key: other.keyPem } })
    await expect(requestCertificate(caller)).rejects.toHaveProperty('code', Status.UNAUTHENTICATED)
  })
})

describe('roots', () => {
  test('a new namespace gets the roots, and gets them again when they are deleted', async () => {
    await cluster.createNamespace('later')
    const made = await cluster.until(ConfigMap, 'later', ROOT_MAP, () => true)
    expect(rootsOf(made)).toBe(roots)
    await cluster.client.delete(ConfigMap, 'later', ROOT_MAP)
    const again = await cluster.until(ConfigMap, 'later', ROOT_MAP, (object) => object.metadata.uid !== made.metadata.uid)
    expect(rootsOf(again)).toBe(roots)
  })

  test('what someone else writes into them is put right', async () => {
    await cluster.client.patch(ConfigMap, 'shop', ROOT_MAP, { data: { 'root-cert.pem': 'forged' } })
    await cluster.until(ConfigMap, 'shop', ROOT_MAP, (object) => rootsOf(object) === roots)
  })
})

describe('streams', () => {
  const claim = { id: 'sidecar~10.0.0.7~cart-1.shop~shop.svc.cluster.local', namespace: 'shop', serviceAccount: 'cart' }
  const endOf = async (stream: TestStream) => {
    stream.subscribe(TYPE_URL.CDS)
    const { code, details } = await stream.ended
    return { code, details }
  }

  test('over TLS a proxy is served when it has proven its namespace and account', async () => {
    const stream = openStream(secure({ token: await cluster.token('shop', 'cart') }), claim)
    stream.subscribe(TYPE_URL.CDS)
    const names = (await stream.next(TYPE_URL.CDS)).resources.map(({ name }) => name)
    stream.close()
    expect(names).toContain('BlackHoleCluster')
  })

  test('it is refused for another namespace or account, and without proof', async () => {
    const token = await cluster.token('shop', 'cart')
    const bank = { ...claim, id: 'sidecar~10.0.0.7~cart-1.bank~bank.svc.cluster.local', namespace: 'bank' }
    expect(await endOf(openStream(secure({ token }), bank))).toMatchObject({
      code: Status.PERMISSION_DENIED,
      details: expect.stringContaining('claims namespace bank'),
    })
    expect(await endOf(openStream(secure({ token }), { ...claim, serviceAccount: 'admin' }))).toHaveProperty(
      'code',
      Status.PERMISSION_DENIED,
    )
    expect(await endOf(openStream(secure(), claim))).toMatchObject({
      code: Status.PERMISSION_DENIED,
      details: expect.stringContaining('authentication failed'),
    })
  })
})

describe('verdicts of proxies', () => {
  const service = (name: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'shop' },
    spec: { selector: { app: name }, ports: [{ name: 'http', port: 80 }] },
  })
  const rule: KubeObject = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: 'cart', namespace: 'shop' },
    spec: { host: 'cart', trafficPolicy: { connectionPool: { tcp: { maxConnections: 7 } } } },
  }
  const verdict = ({ status }: KubeObject): { status?: string; reason?: string; message?: string } | undefined => {
    const conditions =
      typeof status === 'object' && status !== null && 'conditions' in status && Array.isArray(status.conditions) ? status.conditions : []
    return conditions.find((condition: { type?: string }) => condition.type === 'Programmed')
  }

  test('a refused resource shows on the object that made it, with an Event, keeps other conditions, and clears', async () => {
    await cluster.client.create(Service, service('cart'))
    const made = await cluster.client.create(DestinationRule, rule)
    await cluster.client.patch(
      DestinationRule,
      'shop',
      'cart',
      { status: { conditions: [{ type: 'Others', status: 'True' }] } },
      { subresource: 'status' },
    )
    const stream = openStream(
      { port: plane.ports.grpc ?? 0 },
      { id: 'sidecar~10.0.0.7~cart-1.shop~shop.svc.cluster.local', namespace: 'shop' },
    )
    stream.subscribe(TYPE_URL.CDS)
    const cart = 'outbound|80||cart.shop.svc.cluster.local'
    let response = await stream.next(TYPE_URL.CDS)
    while (!response.resources.some(({ name }) => name === cart)) {
      stream.ack(response)
      response = await stream.next(TYPE_URL.CDS)
    }
    const words = `Error adding/updating cluster(s) ${cart}: the threshold is odd`
    stream.nack(response, words)
    const refused = await cluster.until(DestinationRule, 'shop', 'cart', (object) => verdict(object)?.status === 'False')
    expect(verdict(refused)).toMatchObject({
      reason: 'RejectedByProxy',
      message: `proxy cart-1.shop refuses Cluster ${cart}: ${words}`,
      observedGeneration: made.metadata.generation,
    })
    expect(refused.status).toMatchObject({ conditions: [{ type: 'Others', status: 'True' }, { type: 'Programmed' }] })
    const found = await cluster.until(Event, 'shop', undefined, (event) => {
      return event.reason === 'RejectedByProxy' && JSON.stringify(event.involvedObject).includes('DestinationRule')
    })
    expect(found).toMatchObject({ type: 'Warning', message: expect.stringContaining(words) })

    await cluster.client.patch(DestinationRule, 'shop', 'cart', {
      spec: { trafficPolicy: { connectionPool: { tcp: { maxConnections: 8 } } } },
    })
    stream.ack(await stream.next(TYPE_URL.CDS))
    await cluster.until(DestinationRule, 'shop', 'cart', (object) => verdict(object)?.status === 'True')
    stream.close()
  }, 20_000)
})

describe('webhooks', () => {
  test('the CA is put into the webhook configurations of this revision, and into no others', async () => {
    const configuration = (name: string, namespace: string): KubeObject => ({
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name },
      webhooks: [
        {
          name: 'sidecar-injector.istio.io',
          clientConfig: { service: { name: 'istiod', namespace, path: '/inject' } },
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          failurePolicy: 'Ignore',
          namespaceSelector: { matchLabels: { never: 'matches' } },
        },
      ],
    })
    await cluster.client.create(MutatingWebhookConfiguration, configuration('unrelated', 'istio-system'))
    await cluster.client.create(MutatingWebhookConfiguration, configuration('istio-sidecar-injector', 'istio-system'))
    const bundle = ({ webhooks }: KubeObject) => (Array.isArray(webhooks) ? webhooks[0]?.clientConfig?.caBundle : undefined)
    const patched = await cluster.until(MutatingWebhookConfiguration, undefined, 'istio-sidecar-injector', (object) =>
      Boolean(bundle(object)),
    )
    expect(Buffer.from(bundle(patched), 'base64').toString()).toBe(roots)
    expect(bundle(await cluster.client.get(MutatingWebhookConfiguration, undefined, 'unrelated'))).toBeFalsy()
  })

  const post = (path: string, body: unknown) =>
    new Promise<{ status: number; body: string }>((resolve, reject) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      const request = https.request(
        {
          host: '127.0.0.1',
          port: plane.ports.https,
          path,
          method: 'POST',
          ca: roots,
          servername: 'istiod.istio-system.svc',
          headers: { 'content-type': 'application/json' },
        },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
        },
      )
      request.on('error', reject)
      request.end(text)
    })
  const review = (object: unknown) => ({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: { uid: 'u-1', namespace: 'shop', operation: 'CREATE', object },
  })

  test('a pod is injected over TLS', async () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'cart', namespace: 'shop' },
      spec: { containers: [{ name: 'app', image: 'app' }] },
    }
    const answer = JSON.parse((await post('/inject', review(pod))).body)
    expect(answer.response).toMatchObject({ uid: 'u-1', allowed: true, patchType: 'JSONPatch' })
    expect(Buffer.from(answer.response.patch, 'base64').toString()).toContain('istio-proxy')
  })

  test('configuration that cannot work is refused with field and reason, also when it is changed; what goes away is not', async () => {
    const rule = (weights: number[]) => ({
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'cart', namespace: 'shop' },
      spec: { hosts: ['cart'], http: [{ route: weights.map((weight) => ({ destination: { host: 'cart' }, weight })) }] },
    })
    const resource = { group: 'networking.istio.io', version: 'v1', resource: 'virtualservices' }
    const ask = async (operation: string, object: unknown) => {
      const { request, ...rest } = review(object)
      return JSON.parse((await post('/validate', { ...rest, request: { ...request, operation, resource } })).body).response
    }
    expect(await ask('CREATE', rule([90, 10]))).toMatchObject({ uid: 'u-1', allowed: true })
    const refused = await ask('UPDATE', { ...rule([90, 10]), spec: { hosts: [], http: [] } })
    expect(refused).toMatchObject({
      allowed: false,
      status: { message: expect.stringContaining('VirtualService shop/cart: spec: http, tls or tcp must hold a route') },
    })
    expect(await ask('DELETE', null)).toMatchObject({ allowed: true })
  })

  test('what is no review is refused in words, and what is too large is not read', async () => {
    expect(await post('/inject', 'nonsense')).toMatchObject({ status: 400 })
    expect(await post('/elsewhere', {})).toMatchObject({ status: 404 })
    expect(await post('/inject', 'x'.repeat(9 << 20)).catch(() => ({ status: 413 }))).toMatchObject({ status: 413 })
  })
})

describe('pages for operators', () => {
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`http://127.0.0.1:${plane.ports.monitoring}${path}`, { headers })
    return { status: response.status, text: await response.text() }
  }
  const ownToken = () => readFileSync(debugTokenPath(plane.ports.monitoring ?? 0), 'utf8')

  test('readiness, version and metrics are open', async () => {
    expect((await get('/ready')).status).toBe(200)
    expect((await get('/version')).text).toMatch(/^1\.30\.3/)
    const metrics = (await get('/metrics')).text
    for (const name of [
      'pilot_info',
      'pilot_xds_pushes',
      'citadel_server_success_cert_issuance_count',
      'pilot_proxy_convergence_time_bucket',
      'istiod_uptime_seconds',
    ]) {
      expect(metrics).toContain(name)
    }
  })

  test('debug pages need a token: the own one, or that of a service account', async () => {
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
    expect((await get('/debug/syncz')).status).toBe(401)
    expect((await get('/debug/syncz', bearer('guess'))).status).toBe(401)
    expect((await get('/debug/syncz', bearer(ownToken()))).status).toBe(200)
    expect((await get('/debug/configz', bearer(await cluster.token('istio-system', 'istiod')))).status).toBe(200)
    expect((await get('/debug/configz', bearer(await cluster.token('shop', 'cart')))).status).toBe(403)
    expect((await get('/debug/syncz', { ...bearer(ownToken()), origin: 'https://elsewhere' })).status).toBe(403)
  })

  test('a connected proxy is listed, and what it is sent can be seen by its own namespace', async () => {
    const stream = openStream(
      { port: plane.ports.grpc ?? 0 },
      { id: 'sidecar~10.0.0.9~seen-1.shop~shop.svc.cluster.local', namespace: 'shop' },
    )
    stream.subscribe(TYPE_URL.CDS)
    stream.ack(await stream.next(TYPE_URL.CDS))
    const own = { authorization: `Bearer ${ownToken()}` }
    const connected = JSON.parse((await get('/debug/syncz', own)).text)
    expect(connected).toContainEqual(expect.objectContaining({ proxy: 'seen-1.shop', proxy_type: 'sidecar', cluster_id: 'Kubernetes' }))
    const shop = { authorization: `Bearer ${await cluster.token('shop', 'cart')}` }
    const dump = await get('/debug/config_dump?proxyID=seen-1.shop', shop)
    expect(dump.text).toContain('BlackHoleCluster')
    expect((await get('/debug/config_dump?proxyID=seen-1.bank', shop)).status).toBe(403)
    stream.close()
  })
})

describe('a change of CA, and a restart', () => {
  test('a control plane that starts again signs with the same root', async () => {
    await plane.close()
    plane = await cluster.startControlPlane()
    const { chain } = await requestCertificate(secure({ token: await cluster.token('shop', 'cart') }))
    expect(chain.at(-1)?.trim()).toBe(roots.trim())
  }, 20_000)

  test('two control planes that start together on an empty namespace share one root', async () => {
    await cluster.createNamespace('mesh-two')
    const [one, two] = await Promise.all(
      ['a', 'b'].map((name) =>
        cluster.startControlPlane({ POD_NAMESPACE: 'mesh-two', POD_NAME: name, PILOT_CA_CERT_CONFIGMAP: 'two-roots' }),
      ),
    )
    const secret = await cluster.client.get(Secret, 'mesh-two', 'istio-ca-secret')
    const map = await cluster.until(ConfigMap, 'shop', 'two-roots', () => true)
    const fingerprint = (text: string) => createHash('sha256').update(text.trim()).digest('hex')
    const data = secret.data as Record<string, string>
    expect(fingerprint(rootsOf(map))).toBe(fingerprint(Buffer.from(data['ca-cert.pem'] ?? '', 'base64').toString()))
    await Promise.all([one?.close(), two?.close()])
  }, 20_000)

  test('a plugged-in CA takes effect once its root is everywhere, and one that cannot be used changes nothing', async () => {
    const root = createSelfSignedRoot({ organization: 'plugged in', now: Date.now() })
    const encode = (text: string) => Buffer.from(text).toString('base64')
    const cacerts = (key: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'cacerts', namespace: 'istio-system' },
      data: {
        'ca-cert.pem': encode(root.certPem),
        'ca-key.pem': encode(key),
        'root-cert.pem': encode(root.certPem),
        'cert-chain.pem': encode(root.certPem),
      },
    })
    await cluster.client.create(Secret, cacerts('not a key'))
    await cluster.client.update(Secret, cacerts(root.keyPem))
    const both = rootsOf(await cluster.until(ConfigMap, 'shop', ROOT_MAP, (object) => rootsOf(object) !== roots))
    for (const pem of [roots, root.certPem]) expect(both).toContain(pem.trim())
    roots = rootsOf(await cluster.until(ConfigMap, 'shop', ROOT_MAP, (object) => rootsOf(object) !== both))
    expect(roots.trim()).toBe(root.certPem.trim())
    expect(log.some((line) => line.includes('ca-key.pem cannot be read'))).toBe(true)
    const { chain } = await requestCertificate(secure({ token: await cluster.token('shop', 'cart') }))
    expect(leafOf(chain).checkIssued(new X509Certificate(root.certPem))).toBe(true)
  }, 20_000)
})
