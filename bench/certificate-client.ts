/**
 * Proxies that renew their certificates, as a process of its own: each in its turn connects, shows the certificate that it has, and
 * asks for another. Prints one line of JSON: how long the answers took.
 *
 *     node certificate-client.ts ADDRESS COUNT SECONDS   (on standard input: {"roots", "token"})
 */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { generateKey, identityUri, keyToPem, makeRequest, partChain } from '@lateen/ca'

const [address = '', count = '1000', seconds = '60'] = process.argv.slice(2)
const { roots, token }: { roots: string; token: string } = JSON.parse(readFileSync(0, 'utf8'))
const SERVER = 'istiod.istio-system.svc'
const METHOD = '/istio.v1.auth.IstioCertificateService/CreateCertificate'

const first = await ask(undefined)
const latencies: number[] = []
let failed = 0
const began = performance.now()
await Promise.all(
  Array.from({ length: Number(count) }, async (_, index) => {
    await delay((index / Number(count)) * Number(seconds) * 1000)
    const start = performance.now()
    try {
      await ask(first)
      latencies.push(performance.now() - start)
    } catch (error) {
      failed++
      if (failed === 1) process.stderr.write(`${String(error)}\n`)
    }
  }),
)
latencies.sort((a, b) => a - b)
const at = (part: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))] ?? 0
const report = { issued: latencies.length, failed, seconds: (performance.now() - began) / 1000, p50: at(0.5), p99: at(0.99) }
process.stdout.write(`${JSON.stringify(report)}\n`)

async function ask(held: { key: string; chain: string } | undefined): Promise<{ key: string; chain: string }> {
  const key = generateKey()
  const csr = Buffer.from(makeRequest(key, { uris: [identityUri('cluster.local', 'default', 'default')] }))
  const channel = credentials.createSsl(Buffer.from(roots), held ? Buffer.from(held.key) : null, held ? Buffer.from(held.chain) : null)
  const client = new Client(address, channel, {
    'grpc.ssl_target_name_override': SERVER,
    'grpc.default_authority': SERVER,
    'grpc.use_local_subchannel_pool': 1,
  })
  const metadata = new Metadata()
  if (!held) metadata.set('authorization', `Bearer ${token}`)
  const pass = (bytes: Buffer) => bytes
  try {
    const answer = await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest(METHOD, pass, pass, textField(csr), metadata, { deadline: Date.now() + 30_000 }, (error, bytes) =>
        bytes ? resolve(bytes) : reject(error),
      )
    })
    return { key: keyToPem(key), chain: partChain(texts(answer)).chainPem }
  } finally {
    client.close()
  }
}

/** Field 1, a text shorter than 16 KiB. */
function textField(content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x0a, (content.length & 0x7f) | 0x80, content.length >> 7]), content])
}

function texts(bytes: Buffer): string[] {
  const found: string[] = []
  for (let at = 0; at < bytes.length; ) {
    at++
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    found.push(bytes.subarray(at, at + length).toString())
    at += length
  }
  return found
}
