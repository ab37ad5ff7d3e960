/** COMPLIANCE_POLICY: what istiod's own ports take, and what this process offers as a client. */
import { once } from 'node:events'
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls'
import { TLS_POLICIES, type TlsPolicy } from '@lateen/base'
import { limitProcessTls } from '@lateen/base/node-tls'
import { CertificateAuthority, createSelfSignedRoot, loadSigningMaterial } from '@lateen/ca'
import { CertificateStore } from '@lateen/xds'
import { afterEach, describe, expect, test } from 'vitest'
import { startGrpc } from './grpc/grpc-listener.ts'
import { startHttpServer } from './http/http-server.ts'
import { readOptions } from './options/discovery-options.ts'

const root = createSelfSignedRoot({ organization: 'test', now: Date.now() })
const authority = new CertificateAuthority(
  loadSigningMaterial({ caCert: root.certPem, caKey: root.keyPem, rootCert: root.certPem }, Date.now()),
)
const { certPem: cert, keyPem: key } = authority.signServer({ dnsNames: ['istiod.test'] })
const material = { certificateChain: cert, privateKey: key, clientRoots: root.certPem }
const closers: (() => Promise<void>)[] = []
const { DEFAULT_MIN_VERSION, DEFAULT_MAX_VERSION, DEFAULT_CIPHERS, DEFAULT_ECDH_CURVE } = tls

afterEach(async () => {
  Object.assign(tls, { DEFAULT_MIN_VERSION, DEFAULT_MAX_VERSION, DEFAULT_CIPHERS, DEFAULT_ECDH_CURVE })
  for (const close of closers.splice(0)) await close()
})

const ADDRESS = { host: '127.0.0.1', port: 0 }
const optionsOf = (policy: TlsPolicy | '', ...flags: string[]) => readOptions(flags, { COMPLIANCE_POLICY: policy }).tls

async function httpsPort(options: ReturnType<typeof optionsOf>): Promise<number> {
  const server = await startHttpServer({
    name: 'webhooks',
    flag: 'httpsAddr',
    address: ADDRESS,
    handler: () => ({ status: 200, body: '' }),
    tls: { ...options, cert, key },
  })
  closers.push(() => server.close())
  // A certificate that is renewed must not bring the usual limits back.
  server.replaceCertificate(cert, key)
  return server.port
}

async function grpcPort(options: ReturnType<typeof optionsOf>): Promise<number> {
  const port = await startGrpc({
    name: 'xDS',
    flag: 'secureGRPCAddr',
    address: ADDRESS,
    tls: { ...options, certificates: new CertificateStore(material) },
    serverOptions: {},
    register: () => undefined,
  })
  closers.push(() => port.close(100))
  return port.port
}

/** Version, cipher and group that were agreed on; what the client was told otherwise. */
async function agreed(port: number, options: ConnectionOptions): Promise<string> {
  const socket: TLSSocket = tls.connect({
    host: '127.0.0.1',
    port,
    servername: 'istiod.test',
    ca: root.certPem,
    ALPNProtocols: ['h2', 'http/1.1'],
    ...options,
  })
  try {
    await once(socket, 'secureConnect')
    return `${socket.getProtocol()} ${socket.getCipher().name}`
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  } finally {
    socket.destroy()
  }
}

const REFUSED = /^ERR_SSL_|^ECONNRESET$/
const SMALL = 'ECDHE-ECDSA-AES128-GCM-SHA256'

describe.each([
  ['of webhooks', httpsPort],
  ['of xDS and certificates', grpcPort],
])('the port %s', (_, open) => {
  test('without a policy takes both versions and any group', async () => {
    const port = await open(optionsOf(''))
    expect(await agreed(port, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' })).toMatch(/^TLSv1.2 /)
    expect(await agreed(port, { minVersion: 'TLSv1.3', ecdhCurve: 'X25519' })).toMatch(/^TLSv1.3 /)
  })

  test('fips-140-2: TLS 1.2 with P-256, whatever the flags say', async () => {
    const port = await open(optionsOf('fips-140-2', '--tls-min-version=1.3', '--tls-cipher-suites=ECDHE-ECDSA-CHACHA20-POLY1305'))
    expect(await agreed(port, {})).toMatch(/^TLSv1.2 ECDHE-ECDSA-AES(128|256)-GCM/)
    expect(await agreed(port, { minVersion: 'TLSv1.3' })).toMatch(REFUSED)
    expect(await agreed(port, { ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305', maxVersion: 'TLSv1.2' })).toMatch(REFUSED)
    expect(await agreed(port, { ciphers: SMALL, ecdhCurve: 'X25519' })).toMatch(REFUSED)
  })

  test('fips-140-3: both versions with AES-GCM, P-256 and P-384', async () => {
    const port = await open(optionsOf('fips-140-3'))
    expect(await agreed(port, { ecdhCurve: 'P-384' })).toMatch(/^TLSv1.3 TLS_AES_/)
    expect(await agreed(port, { ciphers: SMALL, maxVersion: 'TLSv1.2', ecdhCurve: 'P-256' })).toBe(`TLSv1.2 ${SMALL}`)
    expect(await agreed(port, { ciphers: 'TLS_CHACHA20_POLY1305_SHA256', minVersion: 'TLSv1.3' })).toMatch(REFUSED)
    expect(await agreed(port, { ecdhCurve: 'X25519', minVersion: 'TLSv1.3' })).toMatch(REFUSED)
  })

  test('pqc: TLS 1.3 with X25519MLKEM768', async () => {
    const port = await open(optionsOf('pqc'))
    expect(await agreed(port, { ecdhCurve: 'X25519MLKEM768:X25519' })).toMatch(/^TLSv1.3 TLS_AES_/)
    expect(await agreed(port, { ecdhCurve: 'X25519' })).toMatch(REFUSED)
    expect(await agreed(port, { maxVersion: 'TLSv1.2' })).toMatch(REFUSED)
  })
})

test.each(TLS_POLICIES)('%s: what this process connects to by itself is under it too', async (policy) => {
  const port = await httpsPort(optionsOf(policy))
  const other = await httpsPort({ ...optionsOf(''), ...(policy === 'pqc' ? { groups: ['X25519'] } : { groups: ['X25519', 'P-521'] }) })
  limitProcessTls(policy)
  expect(await agreed(port, {})).toMatch(policy === 'fips-140-2' ? /^TLSv1.2 / : /^TLSv1.3 /)
  expect(await agreed(other, {})).toMatch(REFUSED)
})

test('a policy that there is not is named, with those that there are', () => {
  expect(() => readOptions([], { COMPLIANCE_POLICY: 'fips' })).toThrow(
    'COMPLIANCE_POLICY: "fips" is not known; use one of fips-140-2, fips-140-3, pqc',
  )
})
