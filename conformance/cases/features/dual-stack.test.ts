/** Pods and Services with addresses of both families, on a cluster that has them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { documents, type Echo, type EchoPod } from '../../harness/echo.ts'
import { CALLER, DRIVER, deployEcho } from '../../harness/echo-mesh.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../../harness/mesh.ts'
import { networking } from '../../harness/objects.ts'

const service = (name: string, spec: object) =>
  documents({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'feat' },
    spec: { selector: { role: 'server' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...spec },
  })
const server = (version: string, listensAt: string): EchoPod => ({
  name: `server-${version}`,
  namespace: 'feat',
  labels: { role: 'server', version },
  env: { ECHO_ADDRESS: listensAt },
})
const PODS: readonly EchoPod[] = [server('v1', '::'), server('v2', '::'), { name: 'caller', namespace: 'feat' }]
const OBJECTS = [
  service('both', { ipFamilyPolicy: 'RequireDualStack' }),
  service('six', { ipFamilies: ['IPv6'] }),
  service('peers', { ipFamilyPolicy: 'RequireDualStack', clusterIP: 'None', ports: [{ name: 'http', port: 8080 }] }),
  networking(
    'DestinationRule',
    { name: 'both', namespace: 'feat' },
    { host: 'both', subsets: [{ name: 'v2', labels: { version: 'v2' } }] },
  ),
  networking(
    'VirtualService',
    { name: 'both', namespace: 'feat' },
    {
      hosts: ['both'],
      http: [
        { match: [{ uri: { prefix: '/v2' } }], route: [{ destination: { host: 'both', subset: 'v2' } }] },
        { route: [{ destination: { host: 'both' } }] },
      ],
    },
  ),
].join('')

const jsonPath = (mesh: Mesh, kind: string, name: string, path: string, namespace = 'feat') =>
  mesh.kubectl('get', kind, name, '-n', namespace, '-o', `jsonpath={${path}}`)

describeWithMesh(
  'a dual-stack mesh',
  (mesh) => {
    let echo: Echo
    /** The IPv6 addresses of the Services, as hosts of URLs. */
    const host: Record<string, string> = {}
    beforeAll(async () => {
      if (whySkipped()) return
      echo = await deployEcho(mesh(), PODS, OBJECTS)
      for (const name of ['both', 'six']) {
        const all = await jsonPath(mesh(), 'service', name, '.spec.clusterIPs[*]')
        host[name] = `[${all.split(' ').find((address) => address.includes(':'))}]`
      }
    })
    afterAll(() => echo?.close())

    const ok = async (from: string, url: string, headers: Readonly<Record<string, string>> = {}) => {
      const [answer] = await echo.call(from, { url, headers, count: 1 })
      expect(answer?.status, answer?.error ?? answer?.body).toBe(200)
      return answer
    }

    describe('addresses', () => {
      test('pods have one of each family, and Services those they ask for', async () => {
        const pod = (await jsonPath(mesh(), 'pod', 'server-v1', '.status.podIPs[*].ip')).split(' ')
        expect(pod.map((address) => address.includes(':'))).toEqual([false, true])
        expect(await jsonPath(mesh(), 'service', 'both', '.spec.ipFamilies')).toBe('["IPv4","IPv6"]')
        expect(await jsonPath(mesh(), 'service', 'six', '.spec.ipFamilies')).toBe('["IPv6"]')
      })

      test('a slice of endpoints is of one family', async () => {
        const slices = await mesh().kubectl(
          ...['get', 'endpointslices', '-n', 'feat', '-l', 'kubernetes.io/service-name=both'],
          ...['-o', 'jsonpath={range .items[*]}{.addressType} {.endpoints[*].addresses[0]}{"\\n"}{end}'],
        )
        const families = slices.trim().split('\n').sort()
        expect(families).toEqual([expect.stringMatching(/^IPv4( \d[\d.]+){2}$/), expect.stringMatching(/^IPv6( fd00:[\da-f:]+){2}$/)])
      })
    })

    describe('from a sidecar', () => {
      test('a service is reached at its IPv6 address, and its rules hold there', async () => {
        await eventually(() => ok(CALLER, `http://${host['both']}/any`, { host: 'both' }))
        for (const path of ['/v2/a', '/v2/b', '/v2/c']) {
          const answer = await ok(CALLER, `http://${host['both']}${path}`, { host: 'both' })
          expect(answer?.pod).toBe('server-v2')
        }
        expect(await echo.received('feat/server-v2', { path: '/v2' })).toHaveLength(3)
        expect(await echo.received('feat/server-v1', { path: '/v2' })).toHaveLength(0)
      })

      test('and at its IPv4 address', async () => {
        const address = await jsonPath(mesh(), 'service', 'both', '.spec.clusterIP')
        expect((await ok(CALLER, `http://${address}/v2/four`, { host: 'both' }))?.pod).toBe('server-v2')
      })

      test('a service of IPv6 alone is reached by its name', async () => {
        await ok(CALLER, 'http://six/name')
        const received = await echo.received('feat/server-v1', { path: '/name' })
        const others = await echo.received('feat/server-v2', { path: '/name' })
        expect(received.length + others.length).toBe(1)
      })

      test('a pod of a headless service is reached at its own IPv6 address', async () => {
        const address = await jsonPath(mesh(), 'pod', 'server-v1', '.status.podIPs[1].ip')
        const answer = await ok(CALLER, `http://[${address}]:8080/direct`, { host: 'peers:8080' })
        expect(answer?.pod).toBe('server-v1')
      })
    })

    describe('to a sidecar', () => {
      test('mTLS is demanded of callers by IPv6 too', async () => {
        await ok(DRIVER, `http://${host['six']}/plain`)
        await mesh().apply(
          documents({
            apiVersion: 'security.istio.io/v1',
            kind: 'PeerAuthentication',
            metadata: { name: 'strict', namespace: 'feat' },
            spec: { mtls: { mode: 'STRICT' } },
          }),
        )
        await eventually(async () => {
          const [answer] = await echo.call(DRIVER, { url: `http://${host['six']}/plain`, count: 1 })
          expect(answer?.status).toBe(0)
        })
        await ok(CALLER, `http://${host['six']}/tls`, { host: 'six' })
      })
    })

    test('the ingress gateway answers at its IPv6 address', async () => {
      await mesh().apply(
        networking(
          'VirtualService',
          { name: 'front', namespace: 'feat' },
          { hosts: ['dual.example'], gateways: ['front'], http: [{ route: [{ destination: { host: 'six' } }] }] },
        ),
      )
      const address = await jsonPath(mesh(), 'service', 'istio-ingressgateway', '.spec.clusterIPs[1]', 'istio-system')
      await eventually(() => ok(DRIVER, `http://[${address}]/entry`, { host: 'dual.example' }))
    })
  },
  ['--ip-family', 'dual'],
)
