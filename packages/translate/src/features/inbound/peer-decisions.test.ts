/** Random PeerAuthentications: who gets in on each kind of port is what the policies say, the nearest and then the oldest first. */
import type { KubeObject } from '@lateen/api'
import { type Call, configurationOf, type Outcome, simulate } from '@lateen/simulate'
import { newMesh, openProxy } from '@lateen/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'

type Mode = 'STRICT' | 'PERMISSIVE' | 'DISABLE'

interface Policy {
  readonly namespace: string
  readonly app: string | undefined
  readonly mode: Mode | 'UNSET' | undefined
  readonly ports: Readonly<Record<string, Mode | 'UNSET'>>
  readonly created: string
}

const WORKLOAD = { namespace: 'shop', name: 'cart-1', ip: '10.0.0.1', labels: { app: 'cart' } }

/** Ports of the workload: for HTTP, for other bytes, for anything, and of no service. */
const PORTS = ['8080', '9090', '7070', '6060'] as const

const OBJECTS: readonly KubeObject[] = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name: 'cart' },
    spec: {
      clusterIP: '10.96.0.1',
      selector: { app: 'cart' },
      ports: [
        { name: 'http', port: 80, targetPort: 8080 },
        { name: 'tcp', port: 90, targetPort: 9090 },
        { name: 'any', port: 70, targetPort: 7070 },
      ],
    },
  },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: 'shop', name: 'cart-1', labels: { 'kubernetes.io/service-name': 'cart' } },
    addressType: 'IPv4',
    ports: [
      { name: 'http', port: 8080 },
      { name: 'tcp', port: 9090 },
      { name: 'any', port: 7070 },
    ],
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true } }],
  },
]

const MODES = ['STRICT', 'PERMISSIVE', 'DISABLE', 'UNSET'] as const

const policy: fc.Arbitrary<Policy> = fc.record({
  namespace: fc.constantFrom('shop', 'istio-system', 'bank'),
  app: fc.constantFrom(undefined, 'cart', 'other'),
  mode: fc.constantFrom(undefined, ...MODES),
  ports: fc.dictionary(fc.constantFrom(...PORTS), fc.constantFrom(...MODES), { maxKeys: 2 }),
  created: fc.constantFrom('2020-01-01T00:00:00Z', '2021-01-01T00:00:00Z', '2022-01-01T00:00:00Z'),
})

test('random policies let in whom they say, on every kind of port', () => {
  fc.assert(
    fc.property(fc.array(policy, { maxLength: 5 }), (policies) => {
      const mesh = newMesh()
      mesh.apply([...OBJECTS, ...policies.map(objectOf)].map((object) => ({ operation: 'set', object })))
      expect(mesh.diagnostics().filter(({ severity }) => severity === 'Error')).toEqual([])
      const session = openProxy(mesh, WORKLOAD)
      const configuration = configurationOf((typeUrl) => session.resources(typeUrl))
      for (const call of CALLS) {
        const { error } = simulate(configuration, call)
        expect({ call, error }).toEqual({ call, error: answer(modeOf(policies, call.port), call) })
      }
    }),
    { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 60) },
  )
})

const ALPN = {
  plaintext: { http: '', tcp: '' },
  tls: { http: 'http/1.1', tcp: '' },
  mtls: { http: 'istio-http/1.1', tcp: 'istio' },
} as const

const CALLS: readonly Call[] = PORTS.flatMap((port) =>
  (['plaintext', 'tls', 'mtls'] as const).flatMap((tls) =>
    (['http', 'tcp'] as const).map(
      (protocol): Call => ({
        address: WORKLOAD.ip,
        port: Number(port),
        protocol,
        tls,
        hostHeader: '',
        headers: {},
        path: '/',
        sni: '',
        alpn: ALPN[tls][protocol],
        mode: 'inbound',
        mtlsSecret: 'default',
      }),
    ),
  ),
)

/** Ports are of policies with a selector alone. */
const objectOf = ({ namespace, app, mode, ports, created }: Policy, index: number): KubeObject => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { namespace, name: `policy-${index}`, creationTimestamp: created },
  spec: {
    ...(app && { selector: { matchLabels: { app } } }),
    ...(mode && { mtls: { mode } }),
    ...(app &&
      Object.keys(ports).length > 0 && {
        portLevelMtls: Object.fromEntries(Object.entries(ports).map(([port, own]) => [port, { mode: own }])),
      }),
  },
})

function modeOf(policies: readonly Policy[], port: number): Mode {
  const oldest = (fits: (policy: Policy) => boolean) =>
    policies.filter(fits).sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : 0))[0]
  const own = oldest(({ namespace, app }) => namespace === 'shop' && app === 'cart')
  const wider = [
    own,
    oldest(({ namespace, app }) => namespace === 'shop' && !app),
    oldest(({ namespace, app }) => namespace === 'istio-system' && !app),
  ]
  const said = [own?.ports[port], ...wider.map((each) => each?.mode)]
  return said.find((mode): mode is Mode => mode !== undefined && mode !== 'UNSET') ?? 'PERMISSIVE'
}

/** What becomes of a call on a port with a mode; null for one that reaches the application. */
function answer(mode: Mode, { port, tls, protocol }: Call): Outcome['error'] {
  const http = port === 8080
  if (mode === 'STRICT' && tls !== 'mtls') return tls === 'plaintext' ? 'no-filter-chain' : 'mtls-error'
  if (mode === 'PERMISSIVE' && tls === 'tls') return http ? 'no-filter-chain' : null
  // Without TLS of its own, a port for HTTP takes what is encrypted for bytes that make no sense.
  if (http && (protocol === 'tcp' || (mode === 'DISABLE' && tls !== 'plaintext'))) return 'protocol-error'
  return null
}
