import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { envoyEnvironment } from '../envoy/arguments.ts'
import { PROXY_FLAGS, parseFlags } from './flags.ts'
import { nodeInfo } from './node-metadata.ts'
import { parsePairs } from './pod-info.ts'
import { readSettings } from './settings.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'settings-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function put(file: string, text: string): Promise<void> {
  await mkdir(join(folder, file, '..'), { recursive: true })
  await writeFile(join(folder, file), text)
}
const read = (env: Record<string, string>, ...flags: string[]) =>
  readSettings('sidecar', parseFlags(flags, PROXY_FLAGS), { ENVOY_PATH: process.execPath, INSTANCE_IP: '10.244.0.7', ...env }, folder)

describe('settings', () => {
  test('a policy of TLS is one of those that there are; Envoy is told the suites', async () => {
    expect((await read({})).tlsPolicy).toBeUndefined()
    await put('etc/istio/config/mesh', 'defaultConfig:\n  proxyMetadata: {COMPLIANCE_POLICY: fips-140-2}\n')
    const settings = await read({})
    expect(settings.tlsPolicy).toBe('fips-140-2')
    expect(envoyEnvironment(settings)['GRPC_SSL_CIPHER_SUITES']).toMatch(/^ECDHE-ECDSA-AES128-GCM-SHA256:/)
    expect(envoyEnvironment(await read({ COMPLIANCE_POLICY: 'pqc' }))).not.toHaveProperty('GRPC_SSL_CIPHER_SUITES')
    await expect(read({ COMPLIANCE_POLICY: 'PQC' })).rejects.toThrow(
      'COMPLIANCE_POLICY="PQC" is not known; use one of fips-140-2, fips-140-3, pqc',
    )
  })

  test('come from the mesh file, then PROXY_CONFIG, then the annotation; proxyMetadata merges and is environment', async () => {
    await put(
      'etc/istio/config/mesh',
      'defaultConfig:\n  concurrency: 3\n  statusPort: 16000\n  proxyMetadata: {SECRET_TTL: 1h, DNS_FORWARD_TIMEOUT: 1s}\n',
    )
    await put('etc/istio/pod/annotations', 'proxy.istio.io/config="terminationDrainDuration: 9s\\nproxyMetadata:\\n  SECRET_TTL: 2h\\n"\n')
    const settings = await read({ PROXY_CONFIG: '{"concurrency":4,"discoveryAddress":"istiod.other:15012"}', DNS_FORWARD_TIMEOUT: '7s' })
    expect(settings).toMatchObject({
      envoy: { concurrency: 4 },
      ports: { admin: 15000, status: 16000, prometheus: 15090, envoyStatus: 15021 },
      drain: { terminationMs: 9000, untilIdle: false, minimumMs: 5000, besideApplication: false },
      discovery: { address: 'istiod.other:15012', serverName: 'istiod.other', sendToken: true, plaintext: false },
      certificates: {
        caAddress: 'istiod.other:15012',
        ttlMs: 7_200_000,
        key: 'ecdsa-p256',
        tokenFile: join(folder, 'var/run/secrets/tokens/istio-token'),
      },
      dns: { enabled: false, timeoutMs: 7000 },
    })
  })

  test.each([
    [{}, 'ecdsa-p256'],
    [{ ECC_SIGNATURE_ALGORITHM: 'ECDSA' }, 'ecdsa-p256'],
    [{ ECC_SIGNATURE_ALGORITHM: 'ECDSA', ECC_CURVE: 'P384' }, 'ecdsa-p384'],
    [{ WORKLOAD_RSA_KEY_SIZE: '4096' }, 'rsa-4096'],
    [{ WORKLOAD_RSA_KEY_SIZE: '4096', ECC_SIGNATURE_ALGORITHM: 'ECDSA' }, 'ecdsa-p256'],
  ])('say the kind of key: %o', async (env, key) => {
    expect((await read(env)).certificates.key).toBe(key)
  })

  test('that cannot be used are refused by name', async () => {
    await expect(read({ PROXY_CONFIG: '{"discoveryAddress":"istiod"}' })).rejects.toThrow('CA_ADDR is "istiod"; write host:port')
    await expect(read({ SECRET_TTL: 'a day' })).rejects.toThrow('SECRET_TTL="a day" is not a duration')
    await expect(read({ ISTIO_META_DNS_CAPTURE: 'maybe' })).rejects.toThrow('ISTIO_META_DNS_CAPTURE="maybe" is neither true nor false')
    await expect(read({ ENVOY_STATUS_PORT: '0' })).rejects.toThrow('ENVOY_STATUS_PORT="0" is not a number from 1 to 65535')
    await expect(read({ PROXY_CONFIG: 'a: [' })).rejects.toThrow('PROXY_CONFIG is not YAML')
    await expect(read({ ENVOY_PATH: '/nowhere', PATH: '' })).rejects.toThrow(
      'Envoy was not found: looked at ENVOY_PATH, /usr/local/bin/envoy and in PATH',
    )
  })

  test('0 workers are one a core, or one a core of the container limit', async () => {
    expect((await read({ ISTIO_CPU_LIMIT: '3' }, '--concurrency=0')).envoy.concurrency).toBe(3)
    expect((await read({}, '--concurrency=0')).envoy.concurrency).toBeGreaterThan(0)
    expect((await read({})).envoy.concurrency).toBe(2)
  })
})

test('a node introduces itself as Istio does', async () => {
  await put('etc/istio/pod/labels', 'app="cart"\nversion="v2"\n')
  await put('etc/istio/pod/annotations', 'note="two\\nlines"\n')
  const env = {
    POD_NAME: 'cart-7d9-x',
    POD_NAMESPACE: 'shop',
    SERVICE_ACCOUNT: 'cart-sa',
    ISTIO_META_CLUSTER_ID: 'east',
    ISTIO_META_WORKLOAD_NAME: 'cart',
    ISTIO_META_INTERCEPTION_MODE: 'REDIRECT',
    ISTIO_META_POD_PORTS: '[{"containerPort":80}]',
    ISTIO_METAJSON_LABELS: '{"extra":"x"}',
    ISTIO_METAJSON_OTHER: '{"deep":{"er":1}}',
  }
  const node = nodeInfo(await read(env, '--domain', '$(POD_NAMESPACE).svc.cluster.local'))
  expect(node).toMatchObject({ id: 'sidecar~10.244.0.7~cart-7d9-x.shop~shop.svc.cluster.local', cluster: 'cart.shop' })
  expect(node.metadata).toMatchObject({
    NAME: 'cart-7d9-x',
    NAMESPACE: 'shop',
    SERVICE_ACCOUNT: 'cart-sa',
    CLUSTER_ID: 'east',
    WORKLOAD_NAME: 'cart',
    INTERCEPTION_MODE: 'REDIRECT',
    POD_PORTS: '[{"containerPort":80}]',
    ISTIO_VERSION: '1.30.3',
    ANNOTATIONS: { note: 'two\nlines' },
    LABELS: {
      app: 'cart',
      version: 'v2',
      extra: 'x',
      'service.istio.io/canonical-name': 'cart',
      'service.istio.io/canonical-revision': 'v2',
    },
    deep: { er: 1 },
    PROXY_CONFIG: { discoveryAddress: 'istiod.istio-system.svc:15012' },
  })
  expect(String(node.metadata.INSTANCE_IPS).split(',')[0]).toBe('10.244.0.7')
})

test('the downward API: what was written is read, whatever it holds', () => {
  const quote = (text: string) => JSON.stringify(text).replace(/\\u([0-9a-f]{4})/g, '\\u$1')
  fc.assert(
    fc.property(
      fc.dictionary(fc.stringMatching(/^[a-z][a-z./-]{0,20}$/), fc.string({ unit: 'grapheme' }), { noNullPrototype: true }),
      (pairs) => {
        const text = Object.entries(pairs)
          .map(([key, value]) => `${key}=${quote(value)}\n`)
          .join('')
        expect(parsePairs(text)).toEqual(pairs)
      },
    ),
  )
})
