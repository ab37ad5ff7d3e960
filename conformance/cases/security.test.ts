/** Identity and encryption: between sidecars, and at the gateway. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { selfSigned } from '../harness/certificate.ts'
import { eventually } from '../harness/eventually.ts'
import { deployShop, fixture, virtualService } from '../harness/fixtures.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../harness/mesh.ts'
import { curlFromPod } from '../harness/traffic.ts'

const HELLO = 'http://hello.shop:5000/hello'

describeWithMesh('security', (mesh) => {
  beforeAll(async () => {
    if (whySkipped()) return
    await deployShop(mesh())
    await mesh().apply(fixture('outside'))
    await mesh().rolledOut('curl', 'outside')
  })

  test('without a policy, a plaintext caller outside the mesh is served', async () => {
    await eventually(async () => {
      const [line = ''] = await curlFromPod(mesh(), 'curl', HELLO, { namespace: 'outside' })
      expect(line).toMatch(/^200/)
    })
  })

  test('between sidecars, requests carry the caller’s SPIFFE identity', async () => {
    const [line = ''] = await curlFromPod(mesh(), 'curl', 'http://httpbin:8000/headers', { namespace: 'shop' })
    expect(line).toMatch(/^200/)
    expect(line).toContain('spiffe://cluster.local/ns/shop/sa/curl')
  })

  test('with STRICT mutual TLS a plaintext call is refused and a call from a sidecar is served', async () => {
    await mesh().apply(
      'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: default, namespace: shop }\nspec: { mtls: { mode: STRICT } }\n',
    )
    await eventually(async () => {
      // 000 is curl's word for no answer: the connection was reset.
      const [line = ''] = await curlFromPod(mesh(), 'curl', HELLO, { namespace: 'outside' })
      expect(line).toMatch(/^000/)
    })
    const [line = ''] = await curlFromPod(mesh(), 'curl', HELLO, { namespace: 'shop' })
    expect(line).toMatch(/^200/)
    await mesh().kubectl('delete', 'peerauthentication', 'default', '-n', 'shop')
    await eventually(async () => {
      const [again = ''] = await curlFromPod(mesh(), 'curl', HELLO, { namespace: 'outside' })
      expect(again).toMatch(/^200/)
    })
  })

  test('the gateway serves TLS with the certificate of the Secret that credentialName names', async () => {
    const { certificate, key } = await selfSigned('secure.example')
    const directory = mkdtempSync(join(tmpdir(), 'lateen-e2e-cert-'))
    try {
      writeFileSync(join(directory, 'cert.pem'), certificate)
      writeFileSync(join(directory, 'key.pem'), key)
      await mesh().kubectl(
        'create',
        'secret',
        'tls',
        'secure-cert',
        '-n',
        'istio-system',
        `--cert=${directory}/cert.pem`,
        `--key=${directory}/key.pem`,
      )
      await mesh().apply(`apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: secure, namespace: shop }
spec:
  selector: { istio: ingressgateway }
  servers:
    - port: { number: 443, name: https, protocol: HTTPS }
      tls: { mode: SIMPLE, credentialName: secure-cert }
      hosts: [secure.example]
`)
      await mesh().apply(
        virtualService(
          'secure',
          '  hosts: [secure.example]\n  gateways: [secure]\n  http:\n    - route: [{ destination: { host: httpbin, port: { number: 8000 } } }]\n',
        ),
      )
      const port = await httpsPort(mesh())
      await eventually(async () => expect(await getTls(port, 'secure.example', '/status/202', certificate)).toBe(202))
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
})

async function httpsPort(mesh: Mesh): Promise<number> {
  const { stdout } = await mesh.lateen('status', '-o', 'json')
  const report: unknown = JSON.parse(stdout)
  const url = typeof report === 'object' && report !== null && 'gatewayTls' in report ? String(report.gatewayTls) : ''
  return Number(new URL(url).port)
}

/** Verifies the server's certificate against `ca` and its name. */
function getTls(port: number, host: string, path: string, ca: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, path, servername: host, headers: { host }, ca, timeout: 5000, agent: false },
      (response) => {
        response.resume()
        response.on('end', () => resolve(response.statusCode ?? 0))
      },
    )
    sent.on('timeout', () => sent.destroy(new Error('no answer within 5 s')))
    sent.on('error', reject)
    sent.end()
  })
}
