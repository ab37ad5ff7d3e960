/**
 * Speed of signing, printed: `node packages/ca/src/sign.bench.ts [count]`.
 */
import { CertificateAuthority } from './certificate-authority.ts'
import { generateKey, makeRequest } from './request.ts'
import { createSelfSignedRoot } from './self-signed.ts'

const count = Number(process.argv[2] ?? 1000)
for (const kind of ['ecdsa-p256', 'rsa-2048'] as const) {
  const root = createSelfSignedRoot({ organization: 'cluster.local', now: Date.now(), key: kind })
  const ca = CertificateAuthority.load({ caCert: root.certPem, caKey: root.keyPem, rootCert: root.certPem })
  const requests = Array.from({ length: count }, () => makeRequest(generateKey()))
  const start = process.cpuUsage()
  for (const request of requests) {
    ca.signWorkload(request, {
      identities: ['spiffe://cluster.local/ns/shop/sa/cart'],
      labels: { workload: 'cart', namespace: 'shop', version: 'v1', cluster: 'Kubernetes' },
    })
  }
  const used = process.cpuUsage(start)
  process.stdout.write(
    `${kind} CA: ${count} P-256 requests checked and signed in ${((used.user + used.system) / 1000).toFixed(0)} ms of CPU\n`,
  )
}
