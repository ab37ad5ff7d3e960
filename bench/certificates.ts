/**
 * What certificates cost: signing alone, and many proxies that renew theirs while configuration changes go out.
 *
 *     node bench/certificates.ts [--count 1000] [--seconds 60] [--proxies 200] [--services 1000] [--rounds 5] [--lateen PATH]
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CertificateAuthority, createSelfSignedRoot, generateKey, type KeyKind, makeRequest } from '@lateen/ca'
import { createKubeClient, loadConnection } from '@lateen/kube'
import { controlPlane, type Running } from './control-plane.ts'
import { loadGenerator } from './load-generator.ts'
import { Processes, run } from './processes.ts'

const { values: options } = parseArgs({
  options: {
    count: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '60' },
    proxies: { type: 'string', default: '200' },
    services: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '5' },
    lateen: { type: 'string' },
  },
})

const rows: string[][] = [['', 'measured', 'target']]
for (const kind of ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-4096'] as const) {
  rows.push([
    `${options.count} P-256 requests signed by ${kind}, ms of CPU`,
    signing(kind, Number(options.count)).toFixed(0),
    kind === 'ecdsa-p256' ? '< 3000' : '-',
  ])
}
await using processes = new Processes()
const generator = await loadGenerator()
if ('missing' in generator) process.stdout.write(`renewal beside changes is skipped: ${generator.missing}\n`)
else await renewals(generator.path)
process.stdout.write(`\n${rows.map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(66) : cell.padStart(12))).join('')).join('\n')}\n`)

/** Checking requests and signing certificates, in this process. */
function signing(kind: KeyKind, count: number): number {
  const root = createSelfSignedRoot({ organization: 'cluster.local', now: Date.now(), key: kind })
  const ca = CertificateAuthority.load({ caCert: root.certPem, caKey: root.keyPem, rootCert: root.certPem })
  const requests = Array.from({ length: count }, () => makeRequest(generateKey()))
  const start = process.cpuUsage()
  for (const request of requests)
    ca.signWorkload(request, { identities: ['spiffe://cluster.local/ns/shop/sa/cart'], labels: { workload: 'cart' } })
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1000
}

async function renewals(generator: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lateen-bench-certificates-'))
  try {
    const target = await controlPlane(processes, { generator, folder, services: options.services, lateen: options.lateen })
    const alone = await changes(generator, target, join(folder, 'alone.json'))
    const renewing = renew(target)
    const beside = await changes(generator, target, join(folder, 'beside.json'))
    const { issued, failed, seconds, p50, p99 } = await renewing
    rows.push([`certificates renewed in ${seconds.toFixed(0)} s, of ${options.count}`, String(issued), options.count])
    rows.push(['renewals that failed', String(failed), '0'])
    rows.push(['a renewal with its connection, ms: p50, p99', `${p50.toFixed(0)}, ${p99.toFixed(0)}`, '-'])
    for (const [name, before] of alone) {
      const after = beside.get(name)
      if (after !== undefined)
        rows.push([`p99 of "${name}", ms: alone, beside renewals`, `${before.toFixed(0)}, ${after.toFixed(0)}`, 'alike'])
    }
  } finally {
    await processes[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  }
}

/** One run of the load generator: the slowest proxy's time of each step. */
async function changes(generator: string, { api, token, xds, pid }: Running, figures: string): Promise<Map<string, number>> {
  const sizes = ['-services', options.services, '-proxies', options.proxies, '-rounds', options.rounds, '-timeout', '60s']
  await run([generator, 'run', '-api', api, '-token', token, '-xds', xds, '-pid', String(pid), '-json', figures, ...sizes])
  const parsed: { name: string; p99_ms: number }[] = JSON.parse(await readFile(figures, 'utf8'))
  return new Map(parsed.map(({ name, p99_ms }) => [name, p99_ms]))
}

interface Renewals {
  readonly issued: number
  readonly failed: number
  readonly seconds: number
  readonly p50: number
  readonly p99: number
}

async function renew({ secure, kubeconfig }: Running): Promise<Renewals> {
  const client = createKubeClient(loadConnection({ path: kubeconfig }))
  const input = JSON.stringify(await credentialsOf(client))
  client.close()
  const child = spawn(process.execPath, [join(import.meta.dirname, 'certificate-client.ts'), secure, options.count, options.seconds], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.end(input)
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk
  })
  await new Promise((resolve) => child.once('close', resolve))
  return JSON.parse(output)
}

async function credentialsOf(client: ReturnType<typeof createKubeClient>): Promise<{ roots: string; token: string }> {
  const map = await client.request<{ data: Record<string, string> }>('GET', '/api/v1/namespaces/default/configmaps/istio-ca-root-cert')
  const path = '/api/v1/namespaces/default/serviceaccounts'
  await client.request('POST', path, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'bench' } }).catch(() => undefined)
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: ['istio-ca'] } }
  const { status } = await client.request<{ status: { token: string } }>('POST', `${path}/bench/token`, request)
  return { roots: map.data['root-cert.pem'] ?? '', token: status.token }
}
