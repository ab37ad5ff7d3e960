/**
 * Least privilege, measured: the API server of the local mesh writes down every request of the control plane, and what that may do is
 * compared with what it does when it is given something to do of each sort.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newAuthority } from '../harness/authority.ts'
import { documents, echoApp, echoPod, echoService } from '../harness/echo.ts'
import { eventually } from '../harness/eventually.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../harness/mesh.ts'
import { namespaces, networking, secret } from '../harness/objects.ts'

const folder = mkdtempSync(join(tmpdir(), 'lateen-rights-'))
const AUDIT = join(folder, 'audit.log')
process.env['LATEEN_AUDIT_LOG'] = AUDIT
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/**
 * Rights that nothing here asks for, each with what needs it, by `verbs resource.group`. A right that is asked for must not be here, and
 * one that is here must be granted.
 */
const ONLY_ELSEWHERE: Readonly<Record<string, string>> = {
  'get *.security.istio.io, *.telemetry.istio.io, *.extensions.istio.io': 'findings in the status of any object (PILOT_ENABLE_ANALYSIS)',
  'patch */status.security.istio.io, */status.telemetry.istio.io, */status.extensions.istio.io':
    'findings in the status of any object (PILOT_ENABLE_ANALYSIS); what proxies refuse of a policy',
  'get patch events': 'a warning that is told again is counted, not repeated',
  'create deployments.apps, services, serviceaccounts, horizontalpodautoscalers.autoscaling, poddisruptionbudgets.policy':
    'Kubernetes asks for it where an object that is applied is not there yet',
  'patch configmaps': 'roots that have changed',
  'update configmaps': 'a change of the root (lateen ca rotate)',
  'get update delete secrets': 'a change of the root (lateen ca rotate); a token of a machine that joins',
}

const gatewayApi = (kind: string, name: string, spec: object) =>
  documents({ apiVersion: 'gateway.networking.k8s.io/v1', kind, metadata: { name, namespace: 'feat' }, spec })

describeWithMesh('rights of the control plane', (mesh) => {
  beforeAll(async () => {
    if (!whySkipped()) await giveWork(mesh())
  }, 120_000)

  test('it is refused nothing that it asks for', () => {
    const refused = requests().filter(({ allowed }) => !allowed)
    expect(refused.map(({ verb, resource, where }) => `${verb} ${resource} ${where}`)).toEqual([])
  })

  test('it has no right that it does not use, but for those that are listed with their reason', async () => {
    const granted = new Set(await grantedTo(mesh(), 'istiod'))
    expect(granted.size).toBeGreaterThan(50)
    const asked = requests().map(({ verb, resource }) => ({ verb, resource }))
    const unused = [...granted].filter((right) => !asked.some((request) => covers(right, request)))
    expect(unused.sort()).toEqual(Object.keys(ONLY_ELSEWHERE).flatMap(rightsOf).sort())
  })

  test('outside its own namespace it writes nothing but what is listed', async () => {
    const written = await grantedTo(mesh(), 'istiod', 'ClusterRole')
    const writes = written.filter((right) => !/^(get|list|watch) /.test(right))
    expect(
      writes
        .map((right) => right.replace(/^\S+ /, ''))
        .filter((resource, at, all) => all.indexOf(resource) === at)
        .sort(),
    ).toEqual([
      '*/status.extensions.istio.io',
      '*/status.gateway.networking.k8s.io',
      '*/status.networking.istio.io',
      '*/status.security.istio.io',
      '*/status.telemetry.istio.io',
      'configmaps',
      'deployments.apps',
      'events',
      'gatewayclasses.gateway.networking.k8s.io',
      'horizontalpodautoscalers.autoscaling',
      'ingresses/status.networking.k8s.io',
      'mutatingwebhookconfigurations.admissionregistration.k8s.io',
      'poddisruptionbudgets.policy',
      'serviceaccounts',
      'services',
      'subjectaccessreviews.authorization.k8s.io',
      'tokenreviews.authentication.k8s.io',
      'validatingwebhookconfigurations.admissionregistration.k8s.io',
      'workloadentries.networking.istio.io',
    ])
  })

  test('an ingress gateway asks the API server for nothing, and may list the Secrets of its namespace alone', async () => {
    expect(requests('istio-ingressgateway-service-account')).toEqual([])
    expect(await grantedTo(mesh(), 'istio-ingressgateway-service-account')).toEqual(['list secrets'])
  })
})

/** Something of each sort that is the control plane's to do; resolves when it is done. */
async function giveWork(mesh: Mesh): Promise<void> {
  const authority = await newAuthority('Rights')
  const { certificate, key } = await authority.issue('web.example')
  const machines = networking(
    'WorkloadGroup',
    { name: 'machines', namespace: 'feat' },
    { metadata: { labels: { role: 'machine' } }, template: { ports: { http: 8080 }, serviceAccount: 'default' } },
  )
  const annotations = { 'proxy.istio.io/config': JSON.stringify({ proxyMetadata: { ISTIO_META_AUTO_REGISTER_GROUP: 'machines' } }) }
  await mesh.apply(
    [
      // The roots of a new namespace; the proxy's token and its CSR; a workload that registers itself.
      namespaces({ feat: 'injected' }),
      echoApp('feat'),
      machines,
      echoPod({ name: 'machine', namespace: 'feat', annotations }),
      echoService({ name: 'web', namespace: 'feat' }),
      // A credential that is given to a gateway which may read it.
      secret('web', 'istio-system', { 'tls.crt': certificate, 'tls.key': key }),
      networking(
        'Gateway',
        { name: 'edge', namespace: 'istio-system' },
        {
          selector: { istio: 'ingressgateway' },
          servers: [
            {
              port: { number: 443, name: 'https', protocol: 'HTTPS' },
              hosts: ['web.example'],
              tls: { mode: 'SIMPLE', credentialName: 'web' },
            },
          ],
        },
      ),
      // Addresses in the status of a ServiceEntry.
      networking(
        'ServiceEntry',
        { name: 'far', namespace: 'feat' },
        {
          hosts: ['far.example'],
          resolution: 'DNS',
          ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
        },
      ),
      // A gateway that is deployed with all that can be made for one; its status and that of its route.
      documents({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'parameters', namespace: 'feat' },
        data: {
          podDisruptionBudget: 'spec:\n  minAvailable: 1\n',
          horizontalPodAutoscaler: 'spec:\n  minReplicas: 1\n  maxReplicas: 2\n',
        },
      }),
      gatewayApi('Gateway', 'front', {
        gatewayClassName: 'istio',
        infrastructure: { parametersRef: { group: '', kind: 'ConfigMap', name: 'parameters' } },
        listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }],
      }),
      gatewayApi('HTTPRoute', 'web', { parentRefs: [{ name: 'front' }], rules: [{ backendRefs: [{ name: 'web', port: 80 }] }] }),
      // One that cannot be deployed, of which an Event tells.
      gatewayApi('Gateway', 'broken', {
        gatewayClassName: 'istio',
        infrastructure: { parametersRef: { group: '', kind: 'ConfigMap', name: 'missing' } },
        listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }],
      }),
      documents({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'Ingress',
        metadata: { name: 'web', namespace: 'feat', annotations: { 'kubernetes.io/ingress.class': 'istio' } },
        spec: {
          rules: [
            {
              host: 'web.example',
              http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }] },
            },
          ],
        },
      }),
    ].join(''),
  )
  const done = (what: string, holds: (request: Request) => boolean) =>
    eventually(() => expect(requests().filter(holds).length, what).toBeGreaterThan(0), { withinMs: 90_000 })
  const asks = (verb: string, resource: string) => done(`${verb} ${resource}`, (one) => one.verb === verb && one.resource === resource)
  await asks('create', 'workloadentries.networking.istio.io')
  await asks('create', 'subjectaccessreviews.authorization.k8s.io')
  await asks('patch', 'deployments.apps')
  await asks('patch', 'poddisruptionbudgets.policy')
  await asks('patch', 'horizontalpodautoscalers.autoscaling')
  await asks('patch', 'httproutes/status.gateway.networking.k8s.io')
  await asks('patch', 'serviceentries/status.networking.istio.io')
  await asks('patch', 'ingresses/status.networking.k8s.io')
  await asks('create', 'events')
  // A machine that goes leaves its entry for as long as it might come back.
  await mesh.kubectl('delete', 'pod', 'machine', '-n', 'feat', '--now')
  await asks('delete', 'workloadentries.networking.istio.io')
}

interface Request {
  readonly verb: string
  /** `deployments.apps`, `pods`, `httproutes/status.gateway.networking.k8s.io`. */
  readonly resource: string
  readonly where: string
  readonly allowed: boolean
}

/** What an account's own programs asked for; what was asked for in its name with `--as` is the test's. */
function requests(account = 'istiod'): Request[] {
  const lines = readFileSync(AUDIT, 'utf8').split('\n')
  return lines.flatMap((line) => {
    if (line === '') return []
    const { user, userAgent = '', objectRef, verb, annotations } = JSON.parse(line)
    if (user.username !== `system:serviceaccount:istio-system:${account}` || userAgent.startsWith('kubectl') || !objectRef) return []
    const { resource, subresource, apiGroup = '', namespace = '' } = objectRef
    const allowed = annotations['authorization.k8s.io/decision'] === 'allow'
    return [{ verb, resource: named(subresource ? `${resource}/${subresource}` : resource, apiGroup), where: namespace, allowed }]
  })
}

const named = (resource: string, group: string): string => (group === '' ? resource : `${resource}.${group}`)

/** `list pods`, `patch * /status.networking.istio.io`: what the roles of an account allow. */
async function grantedTo(mesh: Mesh, account: string, kind?: 'ClusterRole'): Promise<string[]> {
  const read = async (what: string) => JSON.parse(await mesh.kubectl('get', what, '-A', '-o', 'json')).items
  const bindings = [...(await read('clusterrolebindings')), ...(await read('rolebindings'))].filter(({ subjects = [] }) =>
    subjects.some(({ name, namespace }: { name: string; namespace?: string }) => name === account && namespace === 'istio-system'),
  )
  const roles = [...(await read('clusterroles')), ...(await read('roles'))]
  const rights = bindings
    .filter(({ roleRef }) => kind === undefined || roleRef.kind === kind)
    .flatMap(({ roleRef }) => roles.find((role) => role.kind === roleRef.kind && role.metadata.name === roleRef.name).rules)
    .flatMap(({ apiGroups, resources, verbs }: { apiGroups: string[]; resources: string[]; verbs: string[] }) =>
      apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => `${verb} ${named(resource, group)}`))),
    )
  return [...new Set(rights)].sort()
}

/** Whether a right, which may name all resources of a group, is the one that a request was allowed by. */
function covers(right: string, request: Pick<Request, 'verb' | 'resource'>): boolean {
  const [verb, resource = ''] = right.split(' ')
  if (verb !== request.verb) return false
  if (!resource.startsWith('*')) return resource === request.resource
  const end = resource.slice(1)
  return request.resource.endsWith(end) && (end.startsWith('/') || !request.resource.includes('/'))
}

/** `get patch events` → `get events`, `patch events`; a comma between resources. */
function rightsOf(text: string): string[] {
  const [first = '', ...more] = text.split(', ')
  const words = first.split(' ')
  const resources = [words.pop() ?? '', ...more]
  return words.flatMap((verb) => resources.map((resource) => `${verb} ${resource}`))
}
