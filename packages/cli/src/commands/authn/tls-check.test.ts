/** `authn tls-check`: every combination of what clients do and servers accept. */
import type { KubeObject, Pod, Service } from '@lateen/api'
import { expect, test } from 'vitest'
import { dumpOf, madeFrom } from '../../../testdata/dumps.ts'
import type { Servers } from './server-tls.ts'
import { tlsRows } from './tls-check.ts'

const TLS = { '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext' }
const socket = (secrets: readonly string[]) => ({
  typed_config: { ...TLS, common_tls_context: { tls_certificate_sds_secret_configs: secrets.map((name) => ({ name })) } },
})
const RAW = { name: 'envoy.transport_sockets.raw_buffer' }

const CLIENTS = {
  automatic: {
    transport_socket_matches: [
      { match: { tlsMode: 'istio' }, transport_socket: socket(['default']) },
      { match: {}, transport_socket: RAW },
    ],
  },
  ISTIO_MUTUAL: { transport_socket: socket(['default']) },
  MUTUAL: { transport_socket: socket(['kubernetes://client']) },
  SIMPLE: { transport_socket: socket([]) },
  DISABLE: {},
}

const service = (name: string): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
})
const pod = (app: string, containers: readonly string[]): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `${app}-1`, namespace: 'shop', labels: { app } },
  spec: { containers: containers.map((name) => ({ name })) },
})
const policy = (app: string, spec: object): KubeObject => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { name: app, namespace: 'shop' },
  spec: { selector: { matchLabels: { app } }, ...spec },
})

const NAMES = ['strict', 'permissive', 'disable', 'plain']
const SERVERS: Servers = {
  services: NAMES.map(service),
  pods: NAMES.map((name) => pod(name, name === 'plain' ? ['app'] : ['app', 'istio-proxy'])),
  policies: [
    policy('strict', { mtls: { mode: 'STRICT' } }),
    policy('disable', { mtls: { mode: 'STRICT' }, portLevelMtls: { 8080: { mode: 'DISABLE' } } }),
  ],
  rootNamespace: 'istio-system',
}

function rowOf(client: keyof typeof CLIENTS, server: string) {
  const cluster = {
    name: `outbound|80||${server}.shop.svc.cluster.local`,
    ...CLIENTS[client],
    metadata: madeFrom('destination-rule', 'shop', 'tls'),
  }
  const [row] = tlsRows(dumpOf({ clusters: [cluster] }), SERVERS)
  return row
}

test.each([
  ['automatic', { strict: 'OK', permissive: 'OK', disable: 'OK', plain: 'OK', unknown: 'OK' }],
  ['ISTIO_MUTUAL', { strict: 'OK', permissive: 'OK', disable: 'CONFLICT', plain: 'CONFLICT', unknown: 'OK' }],
  ['MUTUAL', { strict: 'CONFLICT', permissive: 'CONFLICT', disable: 'OK', plain: 'OK', unknown: 'OK' }],
  ['SIMPLE', { strict: 'CONFLICT', permissive: 'CONFLICT', disable: 'OK', plain: 'OK', unknown: 'OK' }],
  ['DISABLE', { strict: 'CONFLICT', permissive: 'OK', disable: 'OK', plain: 'OK', unknown: 'OK' }],
] as const)('a client that does %s', (client, wanted) => {
  const found = Object.fromEntries(Object.keys(wanted).map((server) => [server, rowOf(client, server)?.status]))
  expect(found).toEqual(wanted)
})

test('a row names the policies and the rule, and what automatic mutual TLS comes to', () => {
  expect(rowOf('automatic', 'strict')).toEqual({
    destination: 'strict.shop.svc.cluster.local:80',
    status: 'OK',
    server: 'STRICT',
    client: 'ISTIO_MUTUAL (automatic)',
    policy: 'strict.shop',
    rule: 'tls.shop',
  })
  expect(rowOf('automatic', 'plain')).toMatchObject({ server: 'HTTP', client: 'DISABLE (automatic)', policy: '-' })
})
