import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CertificateAuthority, createSelfSignedRoot, joinTrustBundle, leadsTo } from '@lateen/ca'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ServerCertificates, type ServerTrust, serveCertificates, type TlsMaterial } from './server-certificate.ts'

const options = { namespace: 'istio-system', domain: 'cluster.local', revision: 'default', customHost: undefined, isCa: true }
const names = { dnsNames: ['istiod.istio-system.svc'] }

let folder = ''
let server: ServerCertificates | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'serving-'))
})
afterEach(() => {
  server?.stop()
  rmSync(folder, { recursive: true, force: true })
})

function newCa(organization: string): CertificateAuthority {
  const { certPem, keyPem } = createSelfSignedRoot({ organization, now: Date.now() })
  return CertificateAuthority.load({ caCert: certPem, caKey: keyPem, rootCert: certPem })
}

const trustOf = (serving: CertificateAuthority): ServerTrust => ({
  serving,
  rootsPem: serving.rootsPem,
  crlPem: '',
  serverSigner: undefined,
})
const isWhole = ({ certificateChain, privateKey }: TlsMaterial) =>
  new X509Certificate(certificateChain).checkPrivateKey(createPrivateKey(privateKey))

function writeFiles(ca: CertificateAuthority) {
  const { chainPem, keyPem } = ca.signServer(names)
  const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key'), caCertFile: join(folder, 'ca.crt') }
  writeFileSync(files.keyFile, keyPem)
  writeFileSync(files.certFile, chainPem)
  writeFileSync(files.caCertFile, ca.rootsPem)
  return files
}

test('without files the own CA signs for every name that the control plane is called by', async () => {
  const ca = newCa('own')
  server = await serveCertificates(trustOf(ca), { ...options, files: {} }, () => undefined)
  expect(isWhole(server.current)).toBe(true)
  expect(new X509Certificate(server.current.certificateChain).subjectAltName).toContain('DNS:istiod-remote.istio-system.svc')
  expect(server.current.clientRoots).toBe(ca.rootsPem)
})

test('files come first, and their root counts beside that of a CA; where there is another CA it counts alone', async () => {
  const [own, other] = [newCa('own'), newCa('other')]
  const files = writeFiles(other)
  server = await serveCertificates(trustOf(own), { ...options, files }, () => undefined)
  expect(leadsTo(server.current.certificateChain, other.rootsPem)).toBe(true)
  expect(server.current.clientRoots).toBe(joinTrustBundle(other.rootsPem, own.rootsPem))
  server.stop()
  server = await serveCertificates(trustOf(own), { ...options, files, isCa: false }, () => undefined)
  expect(server.current.clientRoots).toBe(other.rootsPem)
})

test('replaced files take effect, and a key of another certificate changes nothing', async () => {
  const [own, other] = [newCa('own'), newCa('other')]
  const files = writeFiles(own)
  const seen: TlsMaterial[] = []
  server = await serveCertificates(trustOf(own), { ...options, files }, (material) => void seen.push(material))
  writeFiles(other)
  await expect.poll(() => seen.at(-1)?.clientRoots ?? '', { timeout: 8_000 }).toContain(other.rootsPem)
  const before = server.current
  writeFileSync(files.keyFile, own.signServer(names).keyPem)
  server.renew()
  await new Promise(setImmediate)
  expect(server.current).toBe(before)
  expect(isWhole(server.current)).toBe(true)
})

test('files that cannot be used at the start are named', async () => {
  const own = newCa('own')
  const files = writeFiles(own)
  writeFileSync(files.keyFile, own.signServer(names).keyPem)
  await expect(serveCertificates(trustOf(own), { ...options, files }, () => undefined)).rejects.toThrow(
    `${files.keyFile} is not the key of the certificate in ${files.certFile}`,
  )
})

test('a signer is asked again when its root changes or its certificate is half over, and not for every change of the roots', async () => {
  const [first, second] = [newCa('first'), newCa('second')]
  let ca = first
  let asked = 0
  const trust: ServerTrust = {
    serving: first,
    crlPem: '',
    get rootsPem() {
      return ca.rootsPem
    },
    get serverSigner() {
      const { rootsPem } = ca
      const sign = async (dnsNames: readonly string[]) => {
        asked++
        return ca.signServer({ dnsNames })
      }
      return { rootsPem, sign }
    },
  }
  let changes = 0
  server = await serveCertificates(trust, { ...options, files: {} }, () => void changes++)
  server.renew()
  await expect.poll(() => changes).toBe(1)
  expect(asked).toBe(1)
  ca = second
  server.renew()
  await expect.poll(() => changes).toBe(2)
  expect(asked).toBe(2)
  expect(leadsTo(server.current.certificateChain, second.rootsPem)).toBe(true)
})

test('a certificate that a port cannot use is no reason to end', async () => {
  let offered = 0
  server = await serveCertificates(trustOf(newCa('own')), { ...options, files: {} }, () => {
    offered++
    throw new Error('no port takes it')
  })
  server.renew()
  await expect.poll(() => offered).toBe(1)
  // Whatever is rejected and caught by nobody fails the test.
  await new Promise(setImmediate)
})
