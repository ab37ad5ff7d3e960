/** `x check-inject` and `x injector list` against an API server with two revisions. */
import type { KubeObject } from '@lateen/api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FakeApi, startFakeApi } from '../../../../testdata/fake-api.ts'

let api: FakeApi

const namespace = (name: string, labels: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
})

const pod = (
  namespaceName: string,
  name: string,
  annotations: Record<string, string>,
  labels: Record<string, string> = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: namespaceName, annotations, labels },
  spec: { containers: [{ name: 'app' }] },
  status: { phase: 'Running' },
})

const IN = (key: string, ...values: string[]) => ({ key, operator: 'In', values })
const ABSENT = (key: string) => ({ key, operator: 'DoesNotExist' })
const NOT_REFUSED = { key: 'sidecar.istio.io/inject', operator: 'NotIn', values: ['false'] }

const hook = (name: string, revision: string, webhooks: readonly unknown[]): KubeObject => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name, labels: { 'istio.io/rev': revision, app: 'sidecar-injector' } },
  webhooks,
})

beforeAll(async () => {
  api = await startFakeApi()
  api.objects = [
    namespace('shop', { 'istio-injection': 'enabled' }),
    namespace('next', { 'istio.io/rev': 'canary' }),
    namespace('lost', { 'istio.io/rev': 'gone' }),
    namespace('plain', {}),
    namespace('off', { 'istio-injection': 'disabled' }),
    namespace('kube-system', {}),
    namespace('istio-system', {}),
    pod('shop', 'cart-1', { 'istio.io/rev': 'default', 'sidecar.istio.io/status': '{}' }),
    pod('shop', 'cart-2', { 'sidecar.istio.io/status': '{"revision":"old"}' }),
    pod('shop', 'job-1', {}, { 'sidecar.istio.io/inject': 'false' }),
    pod('plain', 'web-1', {}),
    pod('off', 'web-1', {}, { 'sidecar.istio.io/inject': 'true' }),
    hook('istio-sidecar-injector', 'default', [
      {
        name: 'namespace.sidecar-injector.istio.io',
        namespaceSelector: { matchExpressions: [IN('istio-injection', 'enabled')] },
        objectSelector: { matchExpressions: [NOT_REFUSED] },
      },
      {
        name: 'object.sidecar-injector.istio.io',
        namespaceSelector: { matchExpressions: [ABSENT('istio-injection'), ABSENT('istio.io/rev')] },
        objectSelector: { matchExpressions: [IN('sidecar.istio.io/inject', 'true'), ABSENT('istio.io/rev')] },
      },
    ]),
    hook('istio-sidecar-injector-canary', 'canary', [
      {
        name: 'rev.namespace.sidecar-injector.istio.io',
        namespaceSelector: { matchExpressions: [IN('istio.io/rev', 'canary')] },
        objectSelector: { matchExpressions: [NOT_REFUSED] },
      },
    ]),
    hook('other', 'default', [{ name: 'mutate.example.com' }]),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'istio-sidecar-injector', namespace: 'istio-system', labels: { 'istio.io/rev': 'default' } },
      data: { values: '{"global":{"hub":"registry.example","tag":"1.30.3","proxy":{"image":"proxyv2"}}}' },
    },
  ]
})

afterAll(() => api.close())

test('the label that decides is named for each webhook', async () => {
  const { code, stdout } = await api.shell('x', 'check-inject', 'cart-1.shop')
  expect(code).toBe(0)
  expect(stdout.split('\n').map((line) => line.split(/ {2,}| (?=[A-Z]{5,}|MISSING|<no pods>)/))).toEqual([
    ['WEBHOOK', 'REVISION', 'INJECTED', 'REASON'],
    ['istio-sidecar-injector', 'default', '✔', 'Namespace label istio-injection=enabled matches'],
    ['istio-sidecar-injector-canary', 'canary', '✘', 'No matching namespace labels (istio.io/rev=canary) or pod labels ()'],
    [''],
  ])
})

test.each([
  ['job-1.shop', /default +✘ +Pod has sidecar\.istio\.io\/inject=false label, preventing injection/],
  ['web-1.off', /default +✘ +Namespace has istio-injection=disabled label, preventing injection/],
  ['web-1.plain', /default +✘ +No matching namespace labels \(istio-injection=enabled\) or pod labels \(sidecar\.istio\.io\/inject=true\)/],
])('%s says what keeps it out', async (reference, says) => {
  expect((await api.shell('x', 'check-inject', reference)).stdout).toMatch(says)
})

test('labels of a pod that is not there yet are enough', async () => {
  const { stdout } = await api.shell('x', 'check-inject', '-n', 'plain', '-l', 'app=web,sidecar.istio.io/inject=true')
  expect(stdout).toMatch(/istio-sidecar-injector +default +✔ +Pod label sidecar\.istio\.io\/inject=true matches/)
})

test.each([
  [['x', 'check-inject'], 64, 'check-inject takes a pod as'],
  [['x', 'check-inject', '-l', 'app'], 64, '"app" is no label'],
  [['x', 'check-inject', 'crat-1.shop'], 1, 'there is no pod "crat-1" in namespace "shop"'],
  [['x', 'check-inject', '-n', 'nowhere', '-l', 'a=b'], 1, 'not found'],
])('%j is refused in one line', async (argv, code, says) => {
  const outcome = await api.shell(...argv)
  expect(outcome.code).toBe(code)
  expect(outcome.stderr).toContain(says)
  expect(outcome.stderr.trim().split('\n')).toHaveLength(1)
})

test('revisions of namespaces, of their pods, and what webhooks inject', async () => {
  const { stdout } = await api.shell('x', 'injector', 'list')
  expect(stdout.split('\n')).toEqual([
    'NAMESPACE ISTIO-REVISION POD-REVISIONS',
    'lost      MISSING/gone   <no pods>',
    'next      canary         <no pods>',
    'off                      <non-Istio>: 1',
    'plain                    <non-Istio>: 1',
    'shop      default        <non-Istio>: 1 (injection disabled: 1)',
    'shop      default        default: 1',
    'shop      default        old: 1 NEEDS RESTART: 1',
    '',
    'NAMESPACES INJECTOR-HOOK                 ISTIO-REVISION SIDECAR-IMAGE',
    'shop       istio-sidecar-injector        default        registry.example/proxyv2:1.30.3',
    'next       istio-sidecar-injector-canary canary         ',
    '',
  ])
})
