import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FakeApi, refusal, startFakeApi } from '../../../testdata/fake-api.ts'
import { firstToEnd } from './certificates.ts'

let api: FakeApi

const istiod = (ready: boolean) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'istiod-1',
    namespace: 'istio-system',
    labels: { app: 'istiod', 'istio.io/rev': 'default', 'app.kubernetes.io/version': '1.30.3' },
  },
  spec: { containers: [{ name: 'discovery' }] },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
})

const webhook = (caBundle: string, failurePolicy: string) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: 'istio-sidecar-injector', labels: { 'istio.io/rev': 'default' } },
  webhooks: [
    {
      name: 'namespace.sidecar-injector.istio.io',
      failurePolicy,
      clientConfig: { caBundle, service: { name: 'istiod', namespace: 'istio-system', path: '/inject' } },
      namespaceSelector: { matchExpressions: [{ key: 'istio-injection', operator: 'In', values: ['enabled'] }] },
    },
  ],
})

const namespace = (name: string, labels: Record<string, string>) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })
const bare = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { containers: [{ name: 'web' }] },
  status: { phase: 'Running' },
}

interface Result {
  readonly check: string
  readonly state: string
  readonly detail: string
  readonly hint?: string
  readonly link?: string
}

async function results(name: string): Promise<Result[]> {
  const { groups } = JSON.parse((await api.shell('check', '-o', 'json', '--kubeclient-timeout', '2s')).stdout)
  return groups.find((group: { name: string }) => group.name === name)?.results ?? []
}

beforeAll(async () => {
  api = await startFakeApi()
})
beforeEach(() => {
  api.answers.clear()
  api.answers.set('GET /version', { status: 200, body: { gitVersion: 'v1.33.0' } })
  api.objects = []
})
afterAll(() => api.close())

describe('a check', () => {
  test('of an empty cluster says what is missing and what to do, and ends with 1', async () => {
    const { code, stdout } = await api.shell('check', '--kubeclient-timeout', '2s')
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /Control plane\n {2}ERROR a control plane runs: there is no pod with app=istiod in namespace istio-system\n {8}hint: install one.*\n {8}https:/,
    )
    expect(stdout).toMatch(/ERROR pods are brought to the injector.*there is no webhook for the injector and validation/)
    expect(stdout).toMatch(/\d+ checks: \d+ errors, \d+ warnings?\n$/)
    expect(stdout).not.toContain('\u001b')
  })

  test('has a hint and a link for everything that is not well', async () => {
    api.objects = [istiod(false), webhook('', 'Ignore'), namespace('shop', { 'istio-injection': 'enabled', 'istio.io/rev': 'ghost' }), bare]
    const { groups } = JSON.parse((await api.shell('check', '-o', 'json', '--kubeclient-timeout', '2s')).stdout)
    const wrong: Result[] = groups.flatMap((group: { results: Result[] }) => group.results).filter(({ state }: Result) => state !== 'ok')
    expect(wrong.length).toBeGreaterThan(5)
    for (const result of wrong)
      expect(result, result.check).toMatchObject({ hint: expect.stringMatching(/.{10}/), link: expect.stringMatching(/^https:/) })
  })

  test('of webhooks sees an empty CA bundle, a Service without endpoints, and Ignore', async () => {
    api.objects = [webhook('', 'Ignore')]
    const details = (await results('Webhooks')).filter(({ state }) => state !== 'ok').map(({ detail }) => detail)
    expect(details).toEqual([
      'there is no webhook for validation',
      expect.stringContaining('without a CA bundle: istio-sidecar-injector/namespace'),
      'Service istio-system/istiod has no ready endpoint',
      expect.stringContaining('failurePolicy is Ignore'),
    ])
  })

  test('of injection sees pods without proxies and labels that contradict each other', async () => {
    api.objects = [webhook('Q0E=', 'Fail'), namespace('shop', { 'istio-injection': 'enabled', 'istio.io/rev': 'ghost' }), bare]
    expect((await results('Injection')).map(({ state, detail }) => `${state} ${detail}`)).toEqual([
      'warning 1 pod has none: web.shop',
      'warning istio-injection and istio.io/rev together: shop',
      'warning nobody injects shop (ghost)',
    ])
  })

  test('goes on where one question is refused', async () => {
    api.objects = [istiod(true)]
    api.answers.set('GET /api/v1/services', { status: 403, body: refusal(403, 'Forbidden', 'you may not') })
    api.answers.set('GET /api/v1/namespaces/istio-system/secrets/cacerts', { status: 403, body: refusal(403, 'Forbidden', 'nor this') })
    expect(await results('Gateways')).toEqual([expect.objectContaining({ state: 'error', detail: 'you may not' })])
    expect(await results('Certificates')).toContainEqual(
      expect.objectContaining({ state: 'ok', detail: expect.stringContaining('not readable') }),
    )
    expect((await results('Control plane')).map(({ state }) => state)).toEqual(['ok', 'ok', 'warning', 'ok'])
  })

  test('asks nothing else of an API server that does not answer', async () => {
    api.answers.set('GET /version', { status: 500, body: refusal(500, 'InternalError', 'the store is gone') })
    const { stdout, code } = await api.shell('check', '-o', 'short')
    expect(stdout).toBe('error: Kubernetes: the store is gone\n1 check: 1 error, 0 warnings\n')
    expect(code).toBe(1)
  })
})

test('the certificate that ends first counts', () => {
  const chain = (from: string, until: string) => ({ cert_chain: [{ valid_from: from, expiration_time: until }] })
  const certs = JSON.stringify({
    certificates: [chain('2030-01-01T00:00:00Z', '2030-01-03T00:00:00Z'), chain('2030-01-01T00:00:00Z', '2030-01-02T00:00:00Z')],
  })
  expect(firstToEnd('web.shop', certs, new Date('2030-01-01T18:00:00Z'))).toEqual([
    { pod: 'web.shop', left: 0.25, until: new Date('2030-01-02T00:00:00Z') },
  ])
  expect(firstToEnd('web.shop', '{"certificates":[]}', new Date())).toEqual([])
})
