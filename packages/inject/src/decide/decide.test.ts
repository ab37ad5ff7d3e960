import { describe, expect, test } from 'vitest'
import { readInjectorConfig } from '../settings/injector-config.ts'
import { decideInjection, webhookSelects } from './decide.ts'

const enabled = readInjectorConfig({ policy: 'enabled' })
const disabled = readInjectorConfig({ policy: 'disabled' })
const pod = (labels: Record<string, string> = {}, annotations: Record<string, string> = {}, spec = {}) => ({
  metadata: { labels, annotations },
  spec: { containers: [], ...spec },
})

describe('the injector, once called', () => {
  test('injects where nothing is said and the policy is enabled', () => {
    expect(decideInjection(pod(), 'shop', enabled).inject).toBe(true)
    expect(decideInjection(pod(), 'shop', disabled).inject).toBe(false)
  })

  test('prefers the label over the annotation', () => {
    const both = pod({ 'sidecar.istio.io/inject': 'false' }, { 'sidecar.istio.io/inject': 'true' })
    expect(decideInjection(both, 'shop', enabled)).toEqual({ inject: false, reason: 'the pod\'s label sidecar.istio.io/inject is "false"' })
    expect(decideInjection(pod({}, { 'sidecar.istio.io/inject': 'yes' }), 'shop', disabled).inject).toBe(true)
  })

  test("leaves pods in the host's network and platform namespaces alone, whatever they ask", () => {
    const asks = { 'sidecar.istio.io/inject': 'true' }
    expect(decideInjection(pod(asks, {}, { hostNetwork: true }), 'shop', enabled).inject).toBe(false)
    expect(decideInjection(pod(asks), 'kube-system', enabled).inject).toBe(false)
  })

  test('never wins over always, and an empty selector selects nothing', () => {
    const config = readInjectorConfig({
      policy: 'disabled',
      neverInjectSelector: [{}, { matchExpressions: [{ key: 'job-name', operator: 'Exists' }] }],
      alwaysInjectSelector: [{ matchLabels: { mesh: 'on' } }, { matchExpressions: [{ key: 'job-name', operator: 'Exists' }] }],
    })
    expect(decideInjection(pod({ mesh: 'on' }), 'shop', config).inject).toBe(true)
    expect(decideInjection(pod({ 'job-name': 'a' }), 'shop', config).inject).toBe(false)
    expect(decideInjection(pod(), 'shop', config).inject).toBe(false)
  })

  test('a policy that does not exist injects nothing and says so', () => {
    expect(decideInjection(pod(), 'shop', readInjectorConfig({ policy: 'sometimes' })).reason).toMatch(/"sometimes"/)
  })
})

describe('the API server calls the webhook', () => {
  const selects = (namespaceLabels: Record<string, string>, podLabels: Record<string, string> = {}, revision = 'default') =>
    webhookSelects({ namespaceLabels, podLabels, revision }).inject

  test('for namespaces that are switched on, in the default revision only', () => {
    expect(selects({ 'istio-injection': 'enabled' })).toBe(true)
    expect(selects({ 'istio-injection': 'disabled' }, { 'sidecar.istio.io/inject': 'true' })).toBe(false)
    expect(selects({ 'istio-injection': 'enabled' }, {}, 'canary')).toBe(false)
  })

  test('for namespaces and pods of its revision', () => {
    expect(selects({ 'istio.io/rev': 'canary' }, {}, 'canary')).toBe(true)
    expect(selects({ 'istio.io/rev': 'canary' }, {}, 'default')).toBe(false)
    expect(selects({}, { 'istio.io/rev': 'canary' }, 'canary')).toBe(true)
    expect(selects({ 'istio-injection': 'enabled', 'istio.io/rev': 'canary' }, {}, 'canary')).toBe(false)
  })

  test('for pods that ask, unless they refuse', () => {
    expect(selects({}, { 'sidecar.istio.io/inject': 'true' })).toBe(true)
    expect(selects({})).toBe(false)
    expect(selects({ 'istio-injection': 'enabled' }, { 'sidecar.istio.io/inject': 'false' })).toBe(false)
    expect(webhookSelects({ namespaceLabels: {}, podLabels: {}, revision: 'default', enableNamespacesByDefault: true }).inject).toBe(true)
  })
})
