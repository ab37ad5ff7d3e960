import type { KubeObject } from '@lateen/api'
import { TYPE_URL } from '@lateen/envoy'
import { createMesh, DEFAULT_MESH } from '@lateen/translate'
import { expect, test } from 'vitest'
import { createTrustResources } from '../certificates/trust-resources.ts'
import { createMeshSource } from './mesh-source.ts'

const pair = { 'tls.crt': btoa('-----BEGIN CERTIFICATE-----'), 'tls.key': btoa('-----BEGIN PRIVATE KEY-----') }
const object = (kind: string, name: string, rest: object, apiVersion = 'v1'): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'shop' },
  ...rest,
})
const server = (number: number, tls: object) => ({ port: { number, name: `tls-${number}`, protocol: 'HTTPS' }, hosts: ['*'], tls })

const OBJECTS = [
  object('Secret', 'plain', { data: pair }),
  object('Secret', 'granted', { data: pair }),
  object('ConfigMap', 'clients', { data: { 'ca.crt': 'authorities' } }),
  object(
    'Gateway',
    'door',
    {
      spec: {
        selector: { app: 'gate' },
        servers: [
          server(8443, { mode: 'SIMPLE', credentialName: 'plain' }),
          server(9443, {
            mode: 'MUTUAL',
            credentialName: 'kubernetes-gateway://shop/granted',
            caCertCredentialName: 'configmap://shop/clients',
          }),
        ],
      },
    },
    'networking.istio.io/v1',
  ),
]

const node = {
  id: 'router~10.0.0.7~gate-x.shop~shop.svc.cluster.local',
  cluster: 'gate.shop',
  metadata: { NAMESPACE: 'shop', LABELS: { app: 'gate' } },
  locality: { region: '', zone: '', subZone: '' },
  userAgentName: 'envoy',
  userAgentVersion: '1.40.0',
}

/** Names of the secrets that a proxy gets. */
function secretsFor({ proven, mayRead }: { readonly proven: boolean; readonly mayRead: boolean | undefined }): string[] {
  const mesh = createMesh(DEFAULT_MESH)
  mesh.apply(OBJECTS.map((set) => ({ operation: 'set', object: set })))
  const secretAccess = { mayRead: () => mayRead, forget: () => undefined }
  const source = createMeshSource({
    mesh,
    checkIdentity: true,
    secretAccess,
    rejections: { rejected: () => undefined, cleared: () => undefined },
    workloads: undefined,
    trust: createTrustResources(),
  })
  const identities = proven ? ['spiffe://cluster.local/ns/shop/sa/gate'] : []
  const session = source.open(node, { identities, address: '10.0.0.7', encrypted: proven }, { vhds: false }, () => undefined)
  return session.resources(TYPE_URL.SDS).parts.flatMap((part) => [...part.keys()])
}

const OPEN = ['configmap://shop/clients-cacert']
const GRANTED = ['kubernetes-gateway://shop/granted']

test('a proxy that has proven nothing gets what is for everyone', () => {
  expect(secretsFor({ proven: false, mayRead: true })).toEqual(OPEN)
})

test('a proxy whose account may not read Secrets gets what its Gateways were granted by reference', () => {
  expect(secretsFor({ proven: true, mayRead: false }).sort()).toEqual([...OPEN, ...GRANTED])
  expect(secretsFor({ proven: true, mayRead: undefined }).sort()).toEqual([...OPEN, ...GRANTED])
})

test('a proxy whose account may read Secrets gets all that its servers name', () => {
  expect(secretsFor({ proven: true, mayRead: true }).sort()).toEqual([...OPEN, ...GRANTED, 'kubernetes://plain'])
})
