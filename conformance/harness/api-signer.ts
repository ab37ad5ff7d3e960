/**
 * A signer of the Kubernetes API: signs approved CertificateSigningRequests of its name, as cert-manager's controller and companies' own
 * do. It runs beside the test and goes through kubectl.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import 'reflect-metadata'
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { ALGORITHM, type Root, serial } from './certificate-authorities.ts'
import type { Mesh } from './mesh.ts'

/** What it does with a request: signs it, marks it failed, or leaves it alone. */
export type Treatment = 'sign' | 'fail' | 'ignore'

export interface SeenRequest {
  readonly name: string
  /** `spiffe://…` of workloads, names of hosts of the control plane. */
  readonly names: readonly string[]
  readonly requester: string
  readonly usages: readonly string[]
  readonly expirationSeconds: number
  readonly approvedBecause: string
}

export interface ApiSigner {
  /** Approved requests that it has seen, in order. */
  readonly seen: readonly SeenRequest[]
  stop(): void
}

export interface ApiSignerOptions {
  readonly name: string
  readonly root: Root
  /** Lifetime of workloads' certificates, which is less than what the API lets one ask for. */
  readonly lifeSeconds: number
  readonly treat: (names: readonly string[]) => Treatment
}

const COLUMNS = [
  '{.metadata.name}',
  '{.spec.signerName}',
  '{.spec.request}',
  '{.spec.username}',
  '{.spec.usages}',
  '{.spec.expirationSeconds}',
  '{.status.conditions[?(@.type=="Approved")].reason}',
]

export function startApiSigner(mesh: Mesh, options: ApiSignerOptions): ApiSigner {
  const seen: SeenRequest[] = []
  const watch = spawn('kubectl', ['get', 'csr', '--watch', '-o', `jsonpath=${COLUMNS.join('{"|"}')}{"\\n"}`], {
    env: mesh.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  createInterface(watch.stdout).on('line', (line) => {
    const [name = '', signer, request = '', requester = '', usages = '[]', expiration, approvedBecause = ''] = line.split('|')
    if (signer !== options.name || approvedBecause === '' || seen.some((other) => other.name === name)) return
    const csr = new Pkcs10CertificateRequest(Buffer.from(request, 'base64').toString())
    const names = csr.extensions.flatMap((extension) =>
      extension instanceof SubjectAlternativeNameExtension ? extension.names.items.map(({ value }) => value) : [],
    )
    seen.push({ name, names, requester, usages: JSON.parse(usages), expirationSeconds: Number(expiration), approvedBecause })
    // A request that its maker has given up is gone.
    void answer(mesh, { name, names, csr }, options).catch(() => undefined)
  })
  return { seen, stop: () => void watch.kill() }
}

interface Approved {
  readonly name: string
  readonly names: readonly string[]
  readonly csr: Pkcs10CertificateRequest
}

async function answer(mesh: Mesh, { name, names, csr }: Approved, { root, lifeSeconds, treat }: ApiSignerOptions): Promise<void> {
  const treatment = treat(names)
  if (treatment === 'ignore') return
  const patch = (operations: readonly unknown[]) =>
    mesh.kubectl('patch', 'csr', name, '--subresource=status', '--type=json', '-p', JSON.stringify(operations))
  if (treatment === 'fail') {
    const failed = { type: 'Failed', status: 'True', reason: 'NoInk', message: 'out of ink', lastUpdateTime: new Date().toISOString() }
    await patch([{ op: 'add', path: '/status/conditions/-', value: failed }])
    return
  }
  const isWorkload = names.every((each) => each.startsWith('spiffe://'))
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial(),
    issuer: `CN=${root.name}`,
    publicKey: csr.publicKey,
    signingKey: root.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(),
    notAfter: new Date(Date.now() + (isWorkload ? lifeSeconds : 3600) * 1000),
    extensions: [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      ...csr.extensions.filter((extension) => extension instanceof SubjectAlternativeNameExtension),
    ],
  })
  const value = Buffer.from(`${certificate.toString('pem')}\n`).toString('base64')
  await patch([{ op: 'add', path: '/status/certificate', value }])
}
