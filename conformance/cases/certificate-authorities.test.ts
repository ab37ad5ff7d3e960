/**
 * Meshes whose certificates are signed elsewhere, as wholes: by a signer of the Kubernetes API, with the control plane as the registration
 * authority, and by a certificate service such as istio-csr, with the control plane as the server of configuration alone.
 */
import type { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiSigner, startApiSigner, type Treatment } from '../harness/api-signer.ts'
import { authorityOfEntries } from '../harness/authority.ts'
import { type CaEntries, certificatesOf, newIntermediate, newRoot, type Root } from '../harness/certificate-authorities.ts'
import { CERTIFICATE_SERVICE, certificateService } from '../harness/certificate-service.ts'
import { connectEcho, documents, type Echo, echoApp, echoPod, echoService, podsReady } from '../harness/echo.ts'
import { CALLER, DRIVER, deployEcho, GATEWAY_URL } from '../harness/echo-mesh.ts'
import { eventually } from '../harness/eventually.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../harness/mesh.ts'
import { addToMesh } from '../harness/mesh-config.ts'
import { networking, secret, strictMutualTls } from '../harness/objects.ts'
import { leafOf, secretOf } from '../harness/proxy-secrets.ts'
import { revocationLists } from '../harness/revocation-lists.ts'

const SIGNER = 'signers.example.com/mesh'
const RBAC = 'rbac.authorization.k8s.io'
const LIFE_SECONDS = 20
const CALLER_ID = 'spiffe://cluster.local/ns/feat/sa/default'
const INGRESS_ID = 'spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway'

const PODS = [
  { name: 'web', namespace: 'feat' },
  { name: 'caller', namespace: 'feat' },
]
const PROXIES = ['web.feat', 'caller.feat', 'deploy/istio-ingressgateway.istio-system']
const NAMESPACES = ['feat', 'other', 'outside', 'istio-system']

/** What an installation with EXTERNAL_CA gives the control plane beside its other rights. */
const REGISTRATION = documents(
  {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRole',
    metadata: { name: 'istiod-registration' },
    rules: [
      {
        apiGroups: ['certificates.k8s.io'],
        resources: ['certificatesigningrequests'],
        verbs: ['get', 'list', 'watch', 'create', 'delete'],
      },
      { apiGroups: ['certificates.k8s.io'], resources: ['certificatesigningrequests/approval'], verbs: ['update'] },
      { apiGroups: ['certificates.k8s.io'], resources: ['signers'], resourceNames: [SIGNER], verbs: ['approve'] },
    ],
  },
  {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'istiod-registration' },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'istiod-registration' },
    subjects: [{ kind: 'ServiceAccount', name: 'istiod', namespace: 'istio-system' }],
  },
)

const throughGateway = networking(
  'VirtualService',
  { name: 'web', namespace: 'feat' },
  { hosts: ['web.example'], gateways: ['front'], http: [{ route: [{ destination: { host: 'web' } }] }] },
)

describeWithMesh('certificates that others sign', (mesh) => {
  let echo: Echo
  afterAll(() => echo?.close())

  describe('a signer of the Kubernetes API', () => {
    let signer: ApiSigner
    let root: Root
    const treatments = new Map<string, Treatment>([
      ['spiffe://cluster.local/ns/other/sa/refused', 'fail'],
      ['spiffe://cluster.local/ns/other/sa/unheard', 'ignore'],
    ])
    beforeAll(async () => {
      if (whySkipped()) return
      root = await newRoot('signer of the API')
      const treat = ([name = '']: readonly string[]) => treatments.get(name) ?? 'sign'
      signer = startApiSigner(mesh(), { name: SIGNER, root, lifeSeconds: LIFE_SECONDS, treat })
      await mesh().apply(REGISTRATION)
      await addToMesh(mesh(), { caCertificates: [{ pem: root.pem, certSigners: [SIGNER] }] })
      await setEnv(mesh(), { EXTERNAL_CA: 'ISTIOD_RA_KUBERNETES_API', K8S_SIGNER: SIGNER, PILOT_CERT_PROVIDER: `k8s.io/${SIGNER}` })
      await mesh().kubectl('rollout', 'restart', 'deployment/istio-ingressgateway', '-n', 'istio-system')
      await mesh().rolledOut('istio-ingressgateway', 'istio-system')
      const web = echoService({ name: 'web', namespace: 'feat' })
      echo = await deployEcho(mesh(), PODS, web + strictMutualTls('feat') + throughGateway)
    })
    afterAll(() => signer?.stop())

    test('every proxy has a certificate of the signer and trusts its root alone; so does the control plane', async () => {
      for (const proxy of PROXIES) {
        expect((await leafOf(mesh(), proxy)).issuer, proxy).toBe(`CN=${root.name}`)
        expect(fingerprints(await secretOf(mesh(), proxy, 'ROOTCA')), proxy).toEqual([root.fingerprint])
      }
      expect(await issuerOfControlPlane(echo, root)).toBe(`CN=${root.name}`)
      expect(await rootsIn(mesh(), 'feat')).toEqual([root.fingerprint])
    })

    test('the control plane asks for what is proven, approves it, and leaves nothing behind', async () => {
      const ofCaller = signer.seen.filter(({ names }) => names.includes(CALLER_ID))
      expect(ofCaller.length).toBeGreaterThan(0)
      for (const { names, requester, usages, approvedBecause } of ofCaller) {
        expect(names).toEqual([CALLER_ID])
        expect(requester).toBe('system:serviceaccount:istio-system:istiod')
        expect(usages.toSorted()).toEqual(['client auth', 'digital signature', 'key encipherment', 'server auth'])
        expect(approvedBecause).toBe('IdentityProven')
      }
      expect(ofCaller[0]?.expirationSeconds).toBe(86_400)
      await eventually(async () => expect(await mesh().kubectl('get', 'csr', '-o', 'name')).toBe(''))
    })

    test('mutual TLS between sidecars and through the gateway, and nothing else, under STRICT', () => mutualTls(echo))

    test('certificates are renewed by the signer while connections are made', () => renewed(mesh(), echo))

    test('a request that the signer fails or never answers is told in metrics, logs, to the proxy and by check; others go on', async () => {
      const account = (name: string) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'other' } })
      const pod = (name: string) => echoPod({ name, namespace: 'other', serviceAccount: name })
      const both = ['refused', 'unheard']
      await mesh().apply([echoApp('other'), documents(...both.map(account)), ...both.map(pod)].join(''))
      await eventually(
        async () => {
          expect(await proxyLog(mesh(), 'refused', 'other')).toContain(`the signer ${SIGNER} answered Failed: out of ink`)
          expect(await proxyLog(mesh(), 'unheard', 'other')).toMatch(
            /did not answer CertificateSigningRequest csr-workload-\w+ within \d+ s; is its controller running/,
          )
        },
        { withinMs: 45_000, everyMs: 500 },
      )
      expect(await istiodLog(mesh())).toContain(`the signer ${SIGNER} answered Failed: out of ink`)
      expect(await signingFailures(mesh())).toBeGreaterThan(1)
      const { output } = await mesh().lateen('check')
      expect(output).toMatch(/ERROR .*ns\/other\/sa\/refused: the signer signers\.example\.com\/mesh answered Failed: out of ink/)
      expect(output).toMatch(/ns\/other\/sa\/unheard: the signer signers\.example\.com\/mesh did not answer/)
      expect((await echo.callOnce(CALLER, { url: 'http://web', newConnections: true })).status).toBe(200)
      treatments.clear()
      // A request that is taken away is made again at once.
      await mesh().kubectl('delete', 'csr', '--all')
      await podsReady(mesh(), 'other', ['unheard'])
      await mesh().kubectl('delete', 'pod', ...both, '-n', 'other', '--wait=false')
    })

    test('the state of the CA tells who signs, and until when its root lasts', async () => {
      expect((await mesh().lateen('ca', 'status')).stdout).toMatch(
        new RegExp(`Workloads: +signed by the signer ${SIGNER} of the Kubernetes API\nTheir root: +CN=${root.name}, expires`),
      )
      expect((await mesh().lateen('check')).output).toContain(`of the signer ${SIGNER} of the Kubernetes API, until`)
    })
  })

  describe('a certificate service such as istio-csr', () => {
    let root: Root
    let ca: CaEntries
    beforeAll(async () => {
      if (whySkipped()) return
      root = await newRoot('certificate service')
      ca = await newIntermediate(root, 'service intermediate')
      await mesh().apply(certificateService(ca, { lifeSeconds: LIFE_SECONDS }) + giveRoot(root, NAMESPACES))
      // What istio-csr does beside signing: the control plane's certificate, and the root in every namespace.
      await mesh().apply(await certificateOfControlPlane(ca))
      await podsReady(mesh(), CERTIFICATE_SERVICE.namespace, [CERTIFICATE_SERVICE.pod])
      await setEnv(mesh(), { ENABLE_CA_SERVER: 'false', 'EXTERNAL_CA-': '', 'K8S_SIGNER-': '', 'PILOT_CERT_PROVIDER-': '' })
      await mesh().apply(giveRoot(root, NAMESPACES))
      await injectedWith(mesh(), CERTIFICATE_SERVICE.address)
      await mesh().kubectl('delete', 'pod', 'web', 'caller', '-n', 'feat')
      await mesh().apply(PODS.map(echoPod).join(''))
      await mesh().kubectl('rollout', 'restart', 'deployment/istio-ingressgateway', '-n', 'istio-system')
      await podsReady(mesh(), 'feat', ['web', 'caller'])
      // The pods have other addresses now.
      await echo.close()
      echo = await connectEcho(mesh(), { namespace: 'outside', pod: 'driver' })
      await mesh().rolledOut('istio-ingressgateway', 'istio-system')
    })

    test('every proxy has a certificate of the service and trusts its root alone', async () => {
      for (const proxy of PROXIES) {
        expect((await leafOf(mesh(), proxy)).issuer, proxy).toBe('CN=service intermediate')
        expect(fingerprints(await secretOf(mesh(), proxy, 'ROOTCA')), proxy).toEqual([root.fingerprint])
      }
      const { namespace, pod } = CERTIFICATE_SERVICE
      expect(await mesh().kubectl('logs', pod, '-n', namespace)).toContain(`signed for ${CALLER_ID}`)
    })

    test('the control plane shows the certificate that it was given, leaves the roots of namespaces alone, and says who signs', async () => {
      expect(await issuerOfControlPlane(echo, root)).toBe('CN=service intermediate')
      expect(await rootsIn(mesh(), 'feat')).toEqual([root.fingerprint])
      await mesh().kubectl('create', 'namespace', 'bare')
      // What the control plane writes into a namespace, of which it hears after the namespace itself.
      const ports = [{ number: 80, name: 'http', protocol: 'HTTP' }]
      await mesh().apply(
        networking('ServiceEntry', { name: 'seen', namespace: 'bare' }, { hosts: ['seen.example'], resolution: 'DNS', ports }),
      )
      const addresses = ['get', 'serviceentry', 'seen', '-n', 'bare', '-o', 'jsonpath={.status.addresses}']
      await eventually(async () => expect(await mesh().kubectl(...addresses)).not.toBe(''), { withinMs: 60_000 })
      expect((await mesh().tryKubectl(['get', 'configmap', 'istio-ca-root-cert', '-n', 'bare'])).code).not.toBe(0)
      expect((await mesh().lateen('ca', 'status')).stdout).toMatch(
        /Workloads: +signed by another server\nTheir root: +CN=certificate service/,
      )
    })

    test('mutual TLS between sidecars and through the gateway, and nothing else, under STRICT', () => mutualTls(echo))

    test('certificates are renewed by the service while connections are made', () => renewed(mesh(), echo))

    test('revocation lists that others put into a namespace are in force there', async () => {
      const stolen = await (await authorityOfEntries(ca)).issue('stolen', { uri: CALLER_ID })
      const shown = async () => {
        const own = { cert: `${stolen.certificate}\n${ca['ca-cert.pem']}`, key: stolen.key }
        return (await echo.callOnce(DRIVER, { url: 'https://web.feat:80', version: 'h1', ...own, newConnections: true })).status
      }
      expect(await shown()).toBe(200)
      const data = { 'ca-crl.pem': await revocationLists(root, ca, { byIntermediate: [stolen] }) }
      await mesh().apply(documents({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'istio-ca-crl', namespace: 'feat' }, data }))
      await eventually(async () => expect(await shown()).toBe(0), { withinMs: 90_000 })
      await mutualTls(echo)
    })

    test('a certificate of the control plane that is replaced is shown without a restart', async () => {
      const next = await newIntermediate(root, 'next intermediate')
      await mesh().apply(await certificateOfControlPlane(next))
      await eventually(async () => expect(await issuerOfControlPlane(echo, root)).toBe('CN=next intermediate'))
    })
  })
})

/** Puts the environment of the control plane in force; `NAME-` removes one. */
async function setEnv(mesh: Mesh, env: Readonly<Record<string, string>>): Promise<void> {
  const before = await mesh.kubectl('get', 'pod', '-n', 'istio-system', '-l', 'app=istiod', '-o', 'name')
  const words = Object.entries(env).map(([name, value]) => (name.endsWith('-') ? name : `${name}=${value}`))
  await mesh.kubectl('set', 'env', 'deployment/istiod', '-n', 'istio-system', ...words)
  await mesh.rolledOut('istiod', 'istio-system')
  // Until it has ended, the one before may do what it did as a CA.
  await mesh.kubectl('wait', '--for=delete', ...before.trim().split('\n'), '-n', 'istio-system', '--timeout=50s')
}

/** `global.caAddress` of the installation's values. */
async function injectedWith(mesh: Mesh, caAddress: string): Promise<void> {
  const at = ['istio-sidecar-injector', '-n', 'istio-system']
  const values = JSON.parse(await mesh.kubectl('get', 'configmap', ...at, '-o', 'jsonpath={.data.values}'))
  const patch = { data: { values: JSON.stringify({ ...values, global: { ...values.global, caAddress } }) } }
  await mesh.kubectl('patch', 'configmap', ...at, '--type', 'merge', '-p', JSON.stringify(patch))
  const tried = ['run', 'tried', '-n', 'feat', '--image=pause', '--dry-run=server', '-o', 'json']
  await eventually(async () => expect(await mesh.kubectl(...tried)).toContain(`"value": "${caAddress}"`))
}

function giveRoot(root: Root, names: readonly string[]): string {
  const map = (namespace: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'istio-ca-root-cert', namespace } })
  return documents(...names.map((name) => ({ ...map(name), data: { 'root-cert.pem': root.pem } })))
}

/** Secret `istiod-tls`, as istio-csr makes it. */
async function certificateOfControlPlane(ca: CaEntries): Promise<string> {
  const { certificate, key } = await (await authorityOfEntries(ca)).issue('istiod.istio-system.svc')
  const data = { 'tls.crt': `${certificate}\n${ca['ca-cert.pem']}`, 'tls.key': key, 'ca.crt': ca['root-cert.pem'] }
  return secret('istiod-tls', 'istio-system', data)
}

/** Callers with a certificate come in as themselves; plain text does not, and goes through the gateway with the gateway's. */
async function mutualTls(echo: Echo): Promise<void> {
  await eventually(async () => {
    const direct = await echo.callOnce(CALLER, { url: 'http://web', newConnections: true })
    expect(direct.status, direct.error).toBe(200)
    expect(String(direct.echo?.headers['x-forwarded-client-cert'])).toContain(`URI=${CALLER_ID}`)
    const through = await echo.callOnce(DRIVER, { url: GATEWAY_URL, headers: { host: 'web.example' }, newConnections: true })
    expect(through.status, through.error).toBe(200)
    expect(String(through.echo?.headers['x-forwarded-client-cert'])).toContain(`URI=${INGRESS_ID}`)
  })
  expect((await echo.callOnce(DRIVER, { url: 'http://web.feat', newConnections: true })).status).toBe(0)
}

async function renewed(mesh: Mesh, echo: Echo): Promise<void> {
  const before = (await leafOf(mesh, 'web.feat')).serialNumber
  await eventually(
    async () => {
      expect((await echo.callOnce(CALLER, { url: 'http://web', newConnections: true })).status).toBe(200)
      expect((await leafOf(mesh, 'web.feat')).serialNumber).not.toBe(before)
    },
    { withinMs: LIFE_SECONDS * 2000 },
  )
}

/** Of the certificate on the control plane's port of configuration, which has to lead to the root. */
async function issuerOfControlPlane(echo: Echo, root: Root): Promise<string> {
  const url = 'https://istiod.istio-system.svc:15012'
  const { peer, issuer, error } = await echo.callOnce(DRIVER, { url, version: 'h2', ca: root.pem, newConnections: true })
  expect(peer, error).toContain('DNS:istiod.istio-system.svc')
  return `CN=${issuer}`
}

const fingerprints = (certificates: readonly X509Certificate[]): string[] => certificates.map(({ fingerprint256 }) => fingerprint256)

async function rootsIn(mesh: Mesh, namespace: string): Promise<string[]> {
  const text = await mesh.kubectl('get', 'configmap', 'istio-ca-root-cert', '-n', namespace, '-o', 'jsonpath={.data.root-cert\\.pem}')
  return fingerprints(certificatesOf(text))
}

const istiodLog = (mesh: Mesh): Promise<string> => mesh.kubectl('logs', 'deployment/istiod', '-n', 'istio-system')
const proxyLog = (mesh: Mesh, pod: string, namespace: string): Promise<string> =>
  mesh.kubectl('logs', pod, '-n', namespace, '-c', 'istio-proxy')

/** `citadel_server_csr_sign_err_count` of the control plane. */
async function signingFailures(mesh: Mesh): Promise<number> {
  const ask = ['curl', '-s', 'http://127.0.0.1:15014/metrics']
  const text = await mesh.kubectl('exec', 'deployment/istiod', '-n', 'istio-system', '--', ...ask)
  return Number(/^citadel_server_csr_sign_err_count\{error="CERT_GEN_ERROR"\} (\d+)/m.exec(text)?.[1] ?? 0)
}
