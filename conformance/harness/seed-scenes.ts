/** Where the blocks of teaching documents are in force: a namespace for those that concern the same hosts, and the apps they speak of. */
import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { newAuthority } from './authority.ts'
import { addressOf, connectEcho, type Echo, type EchoPod, echoApp, echoPod, echoService, podsReady } from './echo.ts'
import type { Mesh } from './mesh.ts'
import { namespaces, networking, secret } from './objects.ts'
import { seedFile } from './seeds.ts'

/** What is in force where; the rest of the name of each file is found in the folder. */
const SCENES: Readonly<Record<string, readonly string[]>> = {
  default: ['intended/004-06', 'intended/004-07', 'intended/004-12', '001-16', '001-19', '001-29', '001-30'],
  g1: ['001-20', '001-21', '001-23', '001-24', 'intended/002-59'],
  g2: ['002-08', '002-09', '002-12', '002-60', 'intended/001-58', '001-17'],
  g3: ['002-13', '002-14', 'intended/004-11', '001-18'],
  g4: ['002-57', '002-71', 'intended/004-14', 'intended/004-19'],
  g5: ['002-58', '002-73', 'intended/004-15'],
  g6: ['002-61', '002-72', 'intended/004-17'],
  g7: ['intended/004-13', 'intended/004-18', 'intended/001-59'],
  g8: ['002-15', 'intended/004-16'],
  g9: ['002-70', 'intended/004-31'],
  production: ['000-05', '000-20', 'intended/000-08', 'intended/003-23'],
  bookinfo: ['002-36'],
  internet: ['001-26', '001-27', '001-57', 'intended/004-09', '002-11', '002-35'],
  myapp: ['intended/004-36', 'intended/004-38', 'intended/004-08'],
}

const HOSTS = ['reviews', 'ratings', 'my-service', 'httpbin']
const GROUPS = ['default', ...Array.from({ length: 9 }, (_, at) => `g${at + 1}`)]
/** Hosts whose rule is one of the blocks: those have no rule of ours. */
const RULED: Readonly<Record<string, readonly string[]>> = {
  default: ['reviews'],
  g1: ['reviews', 'httpbin'],
  g2: ['reviews', 'httpbin'],
  g6: ['ratings'],
  g8: ['reviews', 'my-service'],
  g9: ['reviews', 'my-service'],
}
export const CALLER = 'callers/caller'
/** Names of the internet, which stand for one pod. */
const INTERNET = ['httpbin.org', 'api.external.com', 'database.example.com', 'api.payment-provider.com', 'api.external-service.com']
export const GATEWAY = 'http://istio-ingressgateway.istio-system'

/** The subsets that the text speaks of. */
const rule = (host: string, namespace: string) =>
  networking(
    'DestinationRule',
    { name: host, namespace },
    {
      host,
      subsets: Object.entries({ v1: 'v1', v2: 'v2', v3: 'v3', blue: 'v1', green: 'v2' }).map(([name, version]) => ({
        name,
        labels: { version },
      })),
    },
  )

function services(namespace: string): string {
  const selector = { role: 'server' }
  return [
    ...HOSTS.map((name) => echoService({ name, namespace, selector, ports: { http: [80, 8080] } })),
    ...['v1', 'v2'].map((version) => echoService({ name: `service-${version}`, namespace, selector: { ...selector, version } })),
    ...HOSTS.filter((host) => !RULED[namespace]?.includes(host)).map((host) => rule(host, namespace)),
  ].join('')
}

/** Servers have no sidecar: what is shown is what the proxy of the caller does. */
const server = (namespace: string, version: string, labels: Readonly<Record<string, string>> = {}): EchoPod => ({
  name: version,
  namespace,
  inject: false,
  labels: { role: 'server', version, ...labels },
})

const SERVERS: readonly EchoPod[] = GROUPS.flatMap((namespace) =>
  ['v1', 'v2', ...(namespace === 'g2' ? ['v3'] : [])].map((version) =>
    server(namespace, version, namespace === 'g9' ? { 'istio-locality': `us-west.us-west-${version.slice(1)}` } : {}),
  ),
)

export const MYAPP = 'myapp-qa1-usw2.mgt-nonprod.myorg.com'
/** What {@link deploySeeds} has made: whom clients trust, and what they show. */
export const certificates = { ca: '', client: { cert: '', key: '' } }

/** Starts the apps, applies what the blocks leave to the reader, then the blocks, and waits until the apps are ready. */
export async function deploySeeds(mesh: Mesh): Promise<Echo> {
  const authority = await newAuthority('seeds')
  const [web, client] = [await authority.issue('internet.example'), await authority.issue('client')]
  const myapp = await authority.issue(MYAPP)
  const [bookinfo, other] = [await authority.issue('bookinfo.example.com'), await authority.issue('myapp.example.com')]
  Object.assign(certificates, { ca: authority.certificate, client: { cert: client.certificate, key: client.key } })
  const plain = Object.fromEntries([...GROUPS.slice(1), 'outside', 'internet', 'mesh-b'].map((name) => [name, 'plain' as const]))
  const injected = { callers: 'injected', production: 'injected', bookinfo: 'injected', myapp: 'injected' } as const
  const first: readonly EchoPod[] = [
    { name: 'driver', namespace: 'outside' },
    {
      name: 'internet',
      namespace: 'internet',
      listen: ['80=http', '443=https', '3306=tcp'],
      env: { TLS_CERT: '/certs/cert', TLS_KEY: '/certs/key' },
      secrets: { '/certs': 'web' },
    },
    { name: 'service', namespace: 'mesh-b' },
    ...SERVERS,
  ]
  const used = [...new Set([...Object.keys(plain), ...Object.keys(injected), 'default'])]
  await mesh.apply(
    [
      namespaces({ ...plain, ...injected }),
      ...used.map(echoApp),
      ...GROUPS.map(services),
      secret('web', 'internet', { cert: web.certificate, key: web.key }),
      secret('bookinfo-secret', 'istio-system', { 'tls.crt': bookinfo.certificate, 'tls.key': bookinfo.key }),
      secret('myapp-tls-cert', 'istio-system', { 'tls.crt': other.certificate, 'tls.key': other.key }),
      secret('wildcard-secret', 'istio-system', { 'tls.crt': web.certificate, 'tls.key': web.key }),
      secret('myapp-tls', 'myapp', { 'tls.crt': myapp.certificate, 'tls.key': myapp.key }),
      secret('myapp-ca', 'myapp', { 'myorg_corp_auth_ca1.pem': authority.certificate }),
      echoService({ name: 'service', namespace: 'mesh-b' }),
      echoService({ name: 'nowhere', namespace: 'callers' }),
      echoService({ name: 'productpage', namespace: 'default', ports: { http: [9080, 9080] } }),
      echoService({ name: 'details', namespace: 'default', selector: { role: 'server' }, ports: { http: [9080, 8080] } }),
      echoService({ name: 'app', namespace: 'bookinfo', ports: { http: [9080, 9080] } }),
      echoService({ name: 'api-service', namespace: 'production', ports: { http: [8080, 8080] } }),
      echoService({ name: 'myapp-test', namespace: 'myapp' }),
      ...first.map(echoPod),
    ].join(''),
  )
  await podsReady(mesh, 'internet', ['internet'])
  const internet = await addressOf(mesh, 'internet/internet')
  const second: readonly EchoPod[] = [
    { name: 'caller', namespace: 'callers', hostAliases: { [internet]: INTERNET } },
    { name: 'west', namespace: 'callers', labels: { 'istio-locality': 'us-west.us-west-1' } },
    { name: 'east', namespace: 'callers', labels: { 'istio-locality': 'us-east-1a' } },
    { name: 'productpage', namespace: 'default', inject: true, listen: ['9080=http'] },
    { name: 'guest', namespace: 'default', inject: true },
    { name: 'frontend', namespace: 'production' },
    { name: 'worker', namespace: 'production' },
    ...['v1', 'v1-b', 'v2'].map((name) => ({
      name,
      namespace: 'production',
      labels: { app: 'api-service', version: name.slice(0, 2), 'istio-locality': name === 'v1' ? 'us-east-1a' : 'us-east-1b' },
    })),
    { name: 'app', namespace: 'bookinfo' },
    { name: 'myapp-test', namespace: 'myapp' },
  ]
  await mesh.apply([...second.map(echoPod), GATEWAY_POD, rule('api-service', 'production'), ROUTES].join(''))
  for (const [namespace, seeds] of Object.entries(SCENES)) {
    for (const seed of seeds) await applySeed(mesh, namespace, seed)
  }
  const all = [...first, ...second]
  await Promise.all(
    [...new Set(all.map(({ namespace }) => namespace))].map((namespace) =>
      podsReady(
        mesh,
        namespace,
        all.filter((pod) => pod.namespace === namespace).map(({ name }) => name),
      ),
    ),
  )
  return connectEcho(mesh, { namespace: 'outside', pod: 'driver' })
}

/** Objects that name no namespace go where the scene is. */
export async function applySeed(mesh: Mesh, namespace: string, seed: string): Promise<void> {
  const file = seedFile(seed)
  const named = /^ {2}namespace: *(\S+)/m.exec(readFileSync(file, 'utf8'))?.[1]
  const { code, output } = await mesh.tryKubectl(['apply', '-n', named ?? namespace, '-f', file])
  expect(code, `${file}: ${output}`).toBe(0)
}

/** Routes for the gateways of blocks that show the Gateway alone. */
const ROUTES = [
  networking(
    'VirtualService',
    { name: 'app1', namespace: 'g2' },
    { hosts: ['app1.example.com'], gateways: ['multi-host-gateway'], http: [{ route: [{ destination: { host: 'service-v1' } }] }] },
  ),
  networking(
    'VirtualService',
    { name: 'app2', namespace: 'g2' },
    { hosts: ['app2.example.com'], gateways: ['multi-host-gateway'], http: [{ route: [{ destination: { host: 'service-v2' } }] }] },
  ),
  networking(
    'VirtualService',
    { name: 'myapp', namespace: 'myapp' },
    {
      hosts: ['myapp.example.com'],
      gateways: ['istio-system/my-gateway'],
      http: [{ route: [{ destination: { host: 'myapp-test' } }] }],
    },
  ),
  networking(
    'VirtualService',
    { name: 'bytes', namespace: 'g3' },
    {
      hosts: ['*'],
      gateways: ['tcp-gateway'],
      tcp: [{ match: [{ port: 31400 }], route: [{ destination: { host: 'service-v1', port: { number: 80 } } }] }],
    },
  ),
].join('')

/** A gateway of one's own, with its certificates in files. */
const GATEWAY_POD = `---\n${JSON.stringify({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'app-gateway',
    namespace: 'myapp',
    labels: { istio: 'app-ingress-gateway', 'sidecar.istio.io/inject': 'true' },
    annotations: {
      'inject.istio.io/templates': 'gateway',
      'sidecar.istio.io/userVolume': JSON.stringify({
        tls: { secret: { secretName: 'myapp-tls' } },
        ca: { secret: { secretName: 'myapp-ca' } },
      }),
      'sidecar.istio.io/userVolumeMount': JSON.stringify({ tls: { mountPath: '/etc/istio/tls' }, ca: { mountPath: '/etc/myorg/ca' } }),
    },
  },
  spec: {
    containers: [
      {
        name: 'istio-proxy',
        image: 'auto',
        volumeMounts: [
          { name: 'tls', mountPath: '/etc/istio/tls' },
          { name: 'ca', mountPath: '/etc/myorg/ca' },
        ],
      },
    ],
    volumes: [
      { name: 'tls', secret: { secretName: 'myapp-tls' } },
      { name: 'ca', secret: { secretName: 'myapp-ca' } },
    ],
  },
})}\n`
