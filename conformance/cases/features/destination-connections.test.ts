/** How a DestinationRule says to connect: connection pools, TLS, PROXY protocol, tunnels; and which rule is in force. Seen by the app. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newAuthority } from '../../harness/authority.ts'
import { type Answer, type CallSpec, type Echo, echoService } from '../../harness/echo.ts'
import { CALLER, deployEcho, NOWHERE_URL, OTHER_CALLER } from '../../harness/echo-mesh.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../../harness/mesh.ts'
import { namespaces, networking, secret, secretsReadableBy } from '../../harness/objects.ts'
import { tally } from '../../harness/statistics.ts'

/** Where the caller's proxy has its files. */
const FILES = '/etc/trust'
const SERVER = 'tls.example'

const http = (settings: object) => ({ connectionPool: { http: settings } })
const tcp = (settings: object) => ({ connectionPool: { tcp: settings } })
const simple = (more: object = {}) => ({ tls: { mode: 'SIMPLE', sni: SERVER, ...more } })
const trusted = { caCertificates: `${FILES}/ca.crt` }
const client = { clientCertificate: `${FILES}/tls.crt`, privateKey: `${FILES}/tls.key` }
const H2 = http({ h2UpgradePolicy: 'UPGRADE' })
const ONE_REQUEST = http({ maxRequestsPerConnection: 1, h2UpgradePolicy: 'DO_NOT_UPGRADE' })

/** Services outside the mesh by the rule that `feat` has for them: of the pod `bare`, which speaks plaintext and TLS. */
const BARE: Readonly<Record<string, object>> = {
  kept: http({ http1MaxPendingRequests: 100 }),
  'one-request': ONE_REQUEST,
  upgraded: H2,
  'not-upgraded': http({ h2UpgradePolicy: 'DO_NOT_UPGRADE' }),
  'client-protocol': http({ useClientProtocol: true }),
  idle: http({ idleTimeout: '300ms' }),
  'max-duration': tcp({ maxConnectionDuration: '500ms' }),
  'few-streams': http({ h2UpgradePolicy: 'UPGRADE', maxConcurrentStreams: 1 }),
  'many-streams': H2,
  'tcp-idle': tcp({ idleTimeout: '500ms' }),
  keepalive: tcp({ tcpKeepalive: { probes: 3, time: '77s', interval: '11s' } }),
  'proxy-v1': { proxyProtocol: { version: 'V1' } },
  'proxy-v2': { proxyProtocol: { version: 'V2' } },
  tunnel: { tunnel: { protocol: 'CONNECT', targetHost: 'far.example', targetPort: 9443 } },
  'post-tunnel': { tunnel: { protocol: 'POST', targetHost: 'tunnel.example', targetPort: 9443 } },
  ports: {
    portLevelSettings: [
      { port: { number: 81 }, ...H2 },
      { port: { number: 443 }, ...simple(trusted) },
      {
        port: { number: 82 },
        outlierDetection: { consecutive5xxErrors: 2, interval: '1s', baseEjectionTime: '60s', maxEjectionPercent: 100 },
      },
    ],
  },
}
/** The same by TLS: port 80 goes to the pod's TLS port. */
const TLS: Readonly<Record<string, object>> = {
  'tls-simple': simple({ ...trusted, subjectAltNames: [SERVER] }),
  'tls-wrong-name': simple({ ...trusted, subjectAltNames: ['other.example'] }),
  'tls-unknown': simple(),
  'tls-unchecked': simple({ insecureSkipVerify: true }),
  'tls-revoked': simple({ ...trusted, caCrl: `${FILES}/ca.crl` }),
}
/** The pod `strict` asks for a client certificate. */
const STRICT: Readonly<Record<string, object>> = {
  'tls-mutual': { tls: { mode: 'MUTUAL', sni: SERVER, ...trusted, ...client } },
  'tls-not-mutual': simple(trusted),
}
/** Certificates from Secrets are for the workloads that a rule selects. */
const BY_SECRET: Readonly<Record<string, object>> = {
  'tls-secret': simple({ credentialName: 'only-ca' }),
  'tls-mutual-secret': { tls: { mode: 'MUTUAL', sni: SERVER, credentialName: 'client' } },
}
/** Pods of the mesh. */
const MESH: Readonly<Record<string, object>> = {
  'mesh-mutual': { tls: { mode: 'ISTIO_MUTUAL' } },
  'mesh-plain': { tls: { mode: 'DISABLE' } },
}
/** Rules of several namespaces, by where they are. */
const SCOPED: Readonly<Record<string, Readonly<Record<string, { policy: object; more?: object }>>>> = {
  'from-root': { 'istio-system': { policy: H2 } },
  'from-service': { 'istio-system': { policy: H2 }, outside: { policy: ONE_REQUEST } },
  'from-client': { 'istio-system': { policy: ONE_REQUEST }, outside: { policy: ONE_REQUEST }, feat: { policy: H2 } },
  exported: { outside: { policy: H2, more: { exportTo: ['other'] } } },
  selected: { feat: { policy: H2, more: { workloadSelector: { matchLabels: { app: 'caller' } } } } },
  unselected: { feat: { policy: H2, more: { workloadSelector: { matchLabels: { app: 'somebody' } } } } },
}

const outside = (name: string) => `${name}.outside.svc.cluster.local`
const rule = (name: string, namespace: string, host: string, trafficPolicy: object, more: object = {}) =>
  networking('DestinationRule', { name, namespace }, { host, trafficPolicy, ...more })
const each = (rules: Readonly<Record<string, object>>, of: (name: string, policy: object) => string) =>
  Object.entries(rules).map(([name, policy]) => of(name, policy))
const service = (name: string, app: string, target = 8080) =>
  echoService({
    name,
    namespace: 'outside',
    selector: { app },
    ports: {
      http: [80, target],
      'http-more': [81, target],
      'http-last': [82, target],
      'http-tls': [443, 8443],
      tcp: [9000, name.endsWith('tunnel') ? 8080 : 9000],
    },
  })

const OBJECTS = [
  namespaces({ feat: 'injected', other: 'injected', outside: 'plain' }),
  ...[...Object.keys(BARE), ...Object.keys(SCOPED)].map((name) => service(name, 'bare')),
  ...Object.keys(TLS).map((name) => service(name, 'bare', 8443)),
  service('tls-secret', 'bare', 8443),
  ...['tls-mutual-secret', ...Object.keys(STRICT)].map((name) => service(name, 'strict', 8443)),
  ...['mesh-auto', ...Object.keys(MESH)].map((name) => echoService({ name, namespace: 'feat', selector: { app: 'inside' } })),
  ...each({ ...BARE, ...TLS, ...STRICT }, (name, policy) => rule(name, 'feat', outside(name), policy)),
  ...each(BY_SECRET, (name, policy) => rule(name, 'feat', outside(name), policy, { workloadSelector: { matchLabels: { app: 'caller' } } })),
  ...each(MESH, (name, policy) => rule(name, 'feat', name, policy)),
  ...Object.entries(SCOPED).flatMap(([name, places]) =>
    Object.entries(places).map(([namespace, { policy, more }]) => rule(name, namespace, outside(name), policy, more)),
  ),
  // A proxy gets Secrets that its service account may read.
  secretsReadableBy('default', 'feat'),
  rule('wild', 'feat', '*.entries.example', H2),
  rule('tame', 'feat', 'tame.entries.example', ONE_REQUEST),
]

/** An authority, what it issues, and the Secrets that hold it. */
async function certificates(): Promise<string> {
  const authority = await newAuthority('conformance')
  const [server, mine] = [await authority.issue(SERVER), await authority.issue('caller.example')]
  const ca = authority.certificate
  return [
    ...['outside'].map((namespace) => secret('server', namespace, { 'tls.crt': server.certificate, 'tls.key': server.key, 'ca.crt': ca })),
    secret('files', 'feat', { 'tls.crt': mine.certificate, 'tls.key': mine.key, 'ca.crt': ca, 'ca.crl': await authority.revoke(server) }),
    secret('only-ca', 'feat', { 'ca.crt': ca }),
    secret('client', 'feat', { 'tls.crt': mine.certificate, 'tls.key': mine.key, 'ca.crt': ca }),
  ].join('')
}

describeWithMesh('connections to destinations', (mesh) => {
  let echo: Echo

  beforeAll(async () => {
    if (whySkipped()) return
    const server = { TLS_CERT: '/server/tls.crt', TLS_KEY: '/server/tls.key' }
    echo = await deployEcho(
      mesh(),
      [
        {
          name: 'bare',
          namespace: 'outside',
          listen: ['8080=http', '8443=https', '9000=tcp'],
          env: server,
          secrets: { '/server': 'server' },
        },
        {
          name: 'strict',
          namespace: 'outside',
          listen: ['8443=https'],
          env: { ...server, TLS_CLIENT_CA: '/server/ca.crt' },
          secrets: { '/server': 'server' },
        },
        { name: 'inside', namespace: 'feat' },
        {
          name: 'caller',
          namespace: 'feat',
          annotations: {
            'sidecar.istio.io/userVolume': JSON.stringify({ trust: { secret: { secretName: 'files' } } }),
            'sidecar.istio.io/userVolumeMount': JSON.stringify({ trust: { mountPath: FILES, readOnly: true } }),
          },
        },
        { name: 'caller', namespace: 'other' },
      ],
      OBJECTS.join('') + (await certificates()),
    )
    await mesh().apply(await entries(mesh()))
    const plain = Object.keys(BARE).filter((name) => !name.startsWith('proxy'))
    const working = [...plain, ...Object.keys(SCOPED), 'tls-simple', 'tls-mutual']
    await Promise.all(working.map((name) => eventually(async () => expect((await call(name)).status, name).toBe(200))))
  })

  afterAll(async () => {
    await echo?.close()
  })

  const calls = (
    name: string,
    { path = '/', port = 80, from = CALLER, ...more }: Partial<CallSpec> & { path?: string; port?: number; from?: string } = {},
  ) => echo.call(from, { url: `http://${name.includes('.') ? name : outside(name)}:${port}${path}`, ...more })
  const call = async (name: string, more: Parameters<typeof calls>[1] = {}): Promise<Answer> => {
    const [answer] = await calls(name, more)
    if (!answer) throw new Error('no call was made')
    return answer
  }
  /** The connections of the proxy that requests came by. */
  const connections = (answers: readonly Answer[]) => Object.keys(tally(answers.map(({ echo: seen }) => seen?.remote))).length

  describe.concurrent('connection pool', () => {
    test('a connection takes as many requests as it may', async () => {
      expect(connections(await calls('kept', { count: 6, parallel: 1 }))).toBe(1)
      expect(connections(await calls('one-request', { count: 6, parallel: 1 }))).toBe(6)
    })

    test('requests are upgraded to HTTP/2, or not, or keep the caller’s protocol', async () => {
      const protocol = async (name: string, version: 'h1' | 'h2') => (await call(name, { version })).echo?.protocol
      expect(await protocol('upgraded', 'h1')).toBe('h2')
      expect(await protocol('not-upgraded', 'h1')).toBe('http/1.1')
      expect(await protocol('client-protocol', 'h1')).toBe('http/1.1')
      expect(await protocol('client-protocol', 'h2')).toBe('h2')
    })

    test('a connection carries no more streams at once than it may', async () => {
      const slow = { count: 6, parallel: 6, path: '/?delay=500' }
      expect(connections(await calls('few-streams', slow))).toBe(6)
      // Each of the proxy's workers has its own.
      expect(connections(await calls('many-streams', slow))).toBeLessThanOrEqual(2)
    })

    test.each(['idle', 'max-duration'])('a connection ends when its time is over: %s', async (name) => {
      const before = await call(name)
      await eventually(
        async () => {
          const after = await call(name)
          expect(after.status).toBe(200)
          expect(after.echo?.remote).not.toBe(before.echo?.remote)
        },
        { everyMs: 700 },
      )
      const [first, second] = await calls('kept', { count: 2, parallel: 1 })
      expect(first?.echo?.remote).toBe(second?.echo?.remote)
    })

    test('a TCP connection that is idle is ended', async () => {
      const { status, ms } = await call('tcp-idle', { url: `tcp://${outside('tcp-idle')}:9000`, version: 'tcp', timeoutMs: 8000 })
      expect(status).toBe(0)
      expect(ms).toBeGreaterThan(450)
      expect(ms).toBeLessThan(6000)
    })

    test('a connection that cannot be made is given up after its time', async () => {
      const { status, ms } = await call('nobody.example', { url: NOWHERE_URL, headers: { host: 'nobody.example' } })
      expect(status).toBe(503)
      expect(ms).toBeGreaterThan(280)
      expect(ms).toBeLessThan(2500)
    })

    test('connections are kept alive as often as they should be', async () => {
      await call('keepalive')
      const address = await mesh().kubectl('get', 'pod', 'bare', '-n', 'outside', '-o', 'jsonpath={.status.podIP}')
      const remote = `${[...address.split('.')]
        .reverse()
        .map((part) => Number(part).toString(16).padStart(2, '0'))
        .join('')
        .toUpperCase()}:1F90`
      await eventually(async () => {
        await call('keepalive')
        const sockets = (await mesh().kubectl('exec', 'caller', '-n', 'feat', '-c', 'echo', '--', 'cat', '/proc/net/tcp')).split('\n')
        // The timer column: 02 is keepalive, then hundredths of a second until it ends.
        const timers = sockets.filter((line) => line.includes(` ${remote} `)).map((line) => /\s(\w\w):(\w{8})\s/.exec(line) ?? [])
        const seconds = timers.filter(([, kind]) => kind === '02').map(([, , left = '0']) => Number.parseInt(left, 16) / 100)
        expect(seconds.some((left) => left > 60 && left <= 77)).toBe(true)
      })
    })
  })

  describe.concurrent('TLS', () => {
    test('SIMPLE asks for the name, checks the certificate against the authority and the names', async () => {
      const { status, echo: seen } = await call('tls-simple')
      expect(status).toBe(200)
      expect(seen?.tls).toMatchObject({ sni: SERVER, peer: '' })
      await expectRefused('tls-wrong-name')
      await expectRefused('tls-unknown')
    })

    test('a certificate is not checked where the rule says so', async () => {
      expect((await call('tls-unchecked')).status).toBe(200)
    })

    test('a certificate that its authority has revoked is refused', async () => {
      await expectRefused('tls-revoked')
    })

    test('MUTUAL shows the client’s certificate', async () => {
      expect((await call('tls-mutual')).echo?.tls?.peer).toBe('DNS:caller.example')
      expect((await call('tls-not-mutual')).status).toBe(503)
    })

    test('certificates come from Secrets too', async () => {
      await eventually(async () => expect((await call('tls-secret')).echo?.tls).toMatchObject({ sni: SERVER, peer: '' }))
      await eventually(async () => expect((await call('tls-mutual-secret')).echo?.tls?.peer).toBe('DNS:caller.example'))
    })

    test('ISTIO_MUTUAL and the default show the caller’s identity, DISABLE does not', async () => {
      const identity = async (name: string) => String((await call(`${name}.feat`)).echo?.headers['x-forwarded-client-cert'] ?? '')
      expect(await identity('mesh-auto')).toContain('URI=spiffe://cluster.local/ns/feat/sa/default')
      expect(await identity('mesh-mutual')).toContain('URI=spiffe://cluster.local/ns/feat/sa/default')
      expect(await identity('mesh-plain')).toBe('')
    })

    /** Refused by the caller's proxy, because of the certificate. */
    const expectRefused = async (name: string) => {
      const { status, pod } = await call(name)
      expect({ name, status, pod }).toEqual({ name, status: 503, pod: '' })
    }
  })

  describe.concurrent('before the first byte', () => {
    test.each(['v1', 'v2'])('the PROXY protocol tells the app who called: %s', async (version) => {
      await eventually(async () => expect((await call(`proxy-${version}`)).echo?.proxy?.version).toBe(version))
      const caller = await mesh().kubectl('get', 'pod', 'caller', '-n', 'feat', '-o', 'jsonpath={.status.podIP}')
      expect((await call(`proxy-${version}`)).echo?.proxy?.source).toContain(`${caller}:`)
    })

    test('a tunnel asks a forward proxy for the far end', async () => {
      const line = randomUUID()
      const { body } = await call('tunnel', { url: `tcp://${outside('tunnel')}:9000`, version: 'tcp', body: line })
      expect(body).toBe(`bare ${line}`)
      expect(await echo.received('outside/bare', { path: 'far.example:9443' })).toMatchObject([{ method: 'CONNECT' }])
    })

    test('a tunnel by POST carries the bytes in the bodies of a request and its answer', async () => {
      const line = randomUUID()
      const { body } = await call('post-tunnel', { url: `tcp://${outside('post-tunnel')}:9000`, version: 'tcp', body: line })
      expect(body).toBe(`bare ${line}`)
      const asked = await echo.received('outside/bare', { protocol: 'http/1.1', path: '/' })
      expect(asked.filter(({ method }) => method === 'POST')).toMatchObject([{ authority: 'tunnel.example:9443' }])
    })
  })

  describe.concurrent('which rule is in force', () => {
    test('settings of a port go before those of all ports', async () => {
      expect((await call('ports')).echo?.protocol).toBe('http/1.1')
      expect((await call('ports', { port: 81 })).echo?.protocol).toBe('h2')
      expect((await call('ports', { port: 443 })).echo?.tls?.sni).toBe(SERVER)
      await eventually(async () => expect((await call('ports', { port: 82, path: '/?status=500' })).pod).toBe(''))
      expect((await call('ports', { path: '/?status=500' })).pod).toBe('bare')
    })

    test('the caller’s namespace goes before the service’s, and that before the root namespace', async () => {
      expect((await call('from-root')).echo?.protocol).toBe('h2')
      expect((await call('from-root', { from: OTHER_CALLER })).echo?.protocol).toBe('h2')
      expect((await call('from-service')).echo?.protocol).toBe('http/1.1')
      expect(connections(await calls('from-service', { count: 4, parallel: 1 }))).toBe(4)
      expect((await call('from-client')).echo?.protocol).toBe('h2')
      expect((await call('from-client', { from: OTHER_CALLER })).echo?.protocol).toBe('http/1.1')
    })

    test('a rule is in force in the namespaces that it is exported to', async () => {
      expect((await call('exported', { from: OTHER_CALLER })).echo?.protocol).toBe('h2')
      expect((await call('exported')).echo?.protocol).toBe('http/1.1')
    })

    test('a rule is in force for the workloads that it selects', async () => {
      expect((await call('selected')).echo?.protocol).toBe('h2')
      expect((await call('unselected')).echo?.protocol).toBe('http/1.1')
    })

    test('a rule for a wildcard host is in force for the hosts that have none of their own', async () => {
      const at = (host: string) => ({ url: 'http://from-root.outside', headers: { host } })
      await eventually(async () => expect((await call('wild', at('one.entries.example'))).echo?.protocol).toBe('h2'))
      expect((await call('tame', at('tame.entries.example'))).echo?.protocol).toBe('http/1.1')
    })
  })
})

/** Hosts outside by the address of the bare pod, and one whose address nobody has. */
async function entries(mesh: Mesh): Promise<string> {
  const address = await mesh.kubectl('get', 'pod', 'bare', '-n', 'outside', '-o', 'jsonpath={.status.podIP}')
  const entry = (name: string, hosts: readonly string[], endpoint: string) =>
    networking(
      'ServiceEntry',
      { name, namespace: 'feat' },
      {
        hosts,
        resolution: 'STATIC',
        ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: 8080 }],
        endpoints: [{ address: endpoint }],
      },
    )
  return [
    entry('entries', ['one.entries.example', 'tame.entries.example'], address),
    entry('nobody', ['nobody.example'], `${address.split('.').slice(0, 2).join('.')}.255.253`),
    rule('nobody', 'feat', 'nobody.example', tcp({ connectTimeout: '300ms' })),
  ].join('')
}
