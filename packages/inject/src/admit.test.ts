import { expect, test } from 'vitest'
import { type AdmissionContext, admit, proxyEnvOfPath } from './admit.ts'
import { DEFAULT_INJECTOR_CONFIG, readMesh } from './settings/injector-config.ts'
import { DEFAULT_VALUES } from './settings/values.ts'

const context: AdmissionContext = {
  settings: { config: DEFAULT_INJECTOR_CONFIG, values: DEFAULT_VALUES, mesh: readMesh({}), revision: 'default', nativeSidecars: true },
}
const review = (object: unknown, request: object = {}) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: { uid: 'u-1', namespace: 'shop', object, ...request },
})
const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'cart', controller: true }]
const pod = (metadata: object = {}) => ({
  metadata: { generateName: 'cart-', ownerReferences, ...metadata },
  spec: { containers: [{ name: 'cart' }] },
})

test('a pod is allowed with a patch for the namespace of the request', () => {
  const { review: answer, outcome, pod: name } = admit(review(pod()), context)
  expect({ outcome, name }).toEqual({ outcome: 'injected', name: 'shop/cart-*' })
  expect(answer).toMatchObject({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid: 'u-1', allowed: true, patchType: 'JSONPatch' },
  })
  const patch: unknown = JSON.parse(atob(answer.response.patch ?? ''))
  expect(patch).toEqual(expect.arrayContaining([expect.objectContaining({ op: 'add', path: '/spec/initContainers' })]))
  expect(JSON.stringify(patch)).toContain('/namespaces/shop/statefulsets/cart')
})

test('a pod that refuses is allowed as it is', () => {
  const { review: answer, outcome } = admit(review(pod({ labels: { 'sidecar.istio.io/inject': 'false' } })), context)
  expect(outcome).toBe('skipped')
  expect(answer.response).toEqual({ uid: 'u-1', allowed: true })
})

test('a pod with an unusable annotation is refused, with a message that names it', () => {
  const { review: answer } = admit(review(pod({ annotations: { 'status.sidecar.istio.io/port': 'none' } })), context)
  expect(answer.response).toMatchObject({
    allowed: false,
    status: { code: 422, message: expect.stringMatching(/pod shop\/cart-\*: annotation status.sidecar.istio.io\/port: "none"/) },
  })
})

test('a dnsPolicy that hides the control plane is warned about', () => {
  const { review: answer } = admit(review({ ...pod(), spec: { containers: [], dnsPolicy: 'None' } }), context)
  expect(answer.response.warnings).toEqual([expect.stringMatching(/dnsPolicy is "None"/)])
})

test.each([
  undefined,
  null,
  'text',
  {},
  { request: {} },
  review(undefined),
  review({ spec: { containers: 'x' } }),
  review({ spec: { containers: [{}] } }),
  review({ metadata: { labels: { a: 1 } }, spec: {} }),
])('a body that is no review of a pod (%j) is answered, not followed', (body) => {
  expect(admit(body, context)).toMatchObject({ outcome: 'malformed', review: { response: { allowed: false, status: { code: 400 } } } })
})

test("the webhook's path sets variables of the proxy", () => {
  expect(proxyEnvOfPath('/inject')).toEqual({})
  expect(proxyEnvOfPath('/inject/cluster/east/net/n1')).toEqual({ ISTIO_META_CLUSTER_ID: 'east', ISTIO_META_NETWORK: 'n1' })
  expect(proxyEnvOfPath('/inject/:ENV:cluster=east:ENV:net=n--slash--1:ENV:OTHER=x')).toEqual({
    ISTIO_META_CLUSTER_ID: 'east',
    ISTIO_META_NETWORK: 'n/1',
    OTHER: 'x',
  })
})
