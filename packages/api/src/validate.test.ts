import { describe, expect, test } from 'vitest'
import { parseDocuments } from './reading/parse-documents.ts'
import { messages, problems } from './testing/problems.ts'
import { normalize, validate } from './validate.ts'

const object = (kind: string, spec: unknown, apiVersion = 'networking.istio.io/v1') => ({
  apiVersion,
  kind,
  metadata: { name: 'one', namespace: 'shop' },
  spec,
})
const BOTH_SET =
  'spec.http[0].match[0].headers["a"]: a Kubernetes API server refuses this: only one of exact, regex may be set; regex counts'
const frozen = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null) for (const inner of Object.values(Object.freeze(value))) frozen(inner)
  return value
}

describe('normalize', () => {
  test("takes what Protobuf's JSON allows and gives one form", () => {
    const given = frozen(
      object('VirtualService', {
        hosts: ['cart'],
        export_to: ['.'],
        http: [
          {
            name: null,
            match: [{ ignore_uri_case: true, headers: { 'x-user': null }, port: '8080' }],
            route: [{ destination: { host: 'cart', port: { number: '80' } }, weight: '90' }],
            mirror_percent: 5,
            cors_policy: { unmatched_preflights: 2, allow_credentials: null },
            fault: { delay: { fixed_delay: '5s', percentage: { value: '0.5' } } },
            unknown: 1,
          },
        ],
      }),
    )
    expect(normalize(given).spec).toEqual({
      hosts: ['cart'],
      exportTo: ['.'],
      http: [
        {
          match: [{ ignoreUriCase: true, headers: { 'x-user': {} }, port: 8080 }],
          route: [{ destination: { host: 'cart', port: { number: 80 } }, weight: 90 }],
          mirrorPercent: 5,
          corsPolicy: { unmatchedPreflights: 'IGNORE' },
          fault: { delay: { fixedDelay: '5s', percentage: { value: 0.5 } } },
        },
      ],
    })
  })

  test('fills nothing in and leaves the rest of the object alone', () => {
    const given = frozen({ ...object('Sidecar', {}), status: { conditions: [] } })
    expect(normalize(given)).toEqual(given)
  })

  test('leaves objects of other kinds as they are', () => {
    const service = frozen(object('Service', { ports: [{ port: '80' }] }, 'v1'))
    expect(normalize(service)).toBe(service)
  })

  test('keeps a map key that JavaScript treats specially', () => {
    const given = JSON.parse(
      '{"apiVersion":"networking.istio.io/v1","kind":"Gateway","metadata":{"name":"g"},"spec":{"selector":{"__proto__":"x"}}}',
    )
    expect(Object.keys(Object(normalize(given).spec).selector)).toEqual(['__proto__'])
    expect(({} as Record<string, unknown>).x).toBeUndefined()
  })
})

describe('shape', () => {
  test.each([
    ['{hosts: cart}', 'spec.hosts: found the text "cart"; a list is needed; begin the entry with "- "'],
    ['{hosts: [8080]}', 'spec.hosts[0]: found the number 8080; a text is needed; put the value in quotes'],
    ['{http: {}}', 'spec.http: found an object; a list is needed; begin the entry with "- "'],
    [
      '{http: [{match: [{ignoreUriCase: "true"}]}]}',
      'spec.http[0].match[0].ignoreUriCase: found the text "true"; true or false is needed without quotes',
    ],
    ['{http: [{match: [{port: -1}]}]}', 'spec.http[0].match[0].port: found -1; a whole number from 0 to 4294967295 is needed'],
    ['{http: [{match: [{port: 1.5}]}]}', 'spec.http[0].match[0].port: found 1.5; a whole number from 0 to 4294967295 is needed'],
    ['{http: [{match: [{port: http}]}]}', 'spec.http[0].match[0].port: found the text "http"; a number is needed'],
    ['{http: [null]}', 'spec.http[0]: the route does nothing; add route, redirect or directResponse'],
    ['{http: [{match: [{port: "080"}]}]}', 'spec.http[0].match[0].port: found the text "080"; a number is needed'],
    ['{http: [{match: [{port: 0x50, headers: {a: {exact: b, regex: c}}}], directResponse: {status: 200}}]}', BOTH_SET],
    ['{http: [{directResponse: {status: 200, body: {bytes: "YQ"}}}]}', 'spec.http[0].directResponse.body.bytes: the text is not base64'],
    ['{http: [{timout: 5s}]}', 'spec.http[0].timout: unknown field; did you mean "timeout"?'],
    ['{http: [{perTryTimeout: 5s}]}', 'spec.http[0].perTryTimeout: unknown field; it belongs to spec.http[].retries'],
    ['{http: [{delegate: {kind: x}}]}', 'spec.http[0].delegate.kind: unknown field; known here: name, namespace'],
  ])('%s', (spec, expected) => {
    expect(messages('VirtualService', spec)).toContain(expected)
  })

  test('a fault of shape is not followed by others that come from it', () => {
    expect(problems('VirtualService', '{hosts: cart, http: [{route: [{destination: {host: cart}}]}]}')).toEqual([
      'Error spec.hosts LTN0103',
    ])
  })

  test('an enum value in the wrong case is refused with the right one', () => {
    expect(messages('PeerAuthentication', '{mtls: {mode: strict}}')).toEqual([
      'spec.mtls.mode: found "strict"; allowed: UNSET, DISABLE, PERMISSIVE, STRICT; did you mean "STRICT"?',
    ])
  })

  test('an unknown field beside spec and an unknown version are refused', () => {
    const found = validate({ ...object('Gateway', undefined, 'networking.istio.io/v2'), sepc: {} })
    expect(found.map(({ path, message }) => `${path}: ${message}`).slice(0, 2)).toEqual([
      'apiVersion: Gateway has no version v2; use networking.istio.io/v1 or networking.istio.io/v1alpha3 or networking.istio.io/v1beta1',
      'sepc: unknown field; did you mean "spec"?; an object has apiVersion, kind, metadata, spec and status',
    ])
  })

  test('of fields that exclude each other the last counts, of two spellings the newer one', () => {
    const http = [{ match: [{ uri: { regex: 'c', exact: 'a' } }, { ignoreUriCase: false, ignore_uri_case: true }] }]
    expect(normalize(object('VirtualService', { http })).spec).toEqual({
      http: [{ match: [{ uri: { regex: 'c' } }, { ignoreUriCase: false }] }],
    })
  })

  test('an empty list is the same as none, and null in a list or map an empty value', () => {
    const spec = { hosts: [], http: [{ match: [null], route: [] }], exportTo: [null] }
    expect(normalize(object('VirtualService', spec)).spec).toEqual({ http: [{ match: [{}] }], exportTo: [''] })
    expect(normalize(object('Gateway', { selector: { app: null } })).spec).toEqual({ selector: { app: '' } })
    const value = { list: [] }
    const patch = { configPatches: [{ applyTo: 'CLUSTER', patch: { operation: 'MERGE', value } }] }
    expect(normalize(object('EnvoyFilter', patch, 'networking.istio.io/v1alpha3')).spec).toEqual(patch)
  })

  test.each(['internal.istio.io/parents', 'internal.istio.io/parent-namespace'])(
    'the annotation %s is for the control plane alone',
    (name) => {
      const found = problems('Gateway', '{servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}', {
        annotations: { [name]: 'x' },
      })
      expect(found).toEqual([`Error metadata.annotations["${name}"] LTN0126`])
    },
  )

  test('what only a Kubernetes API server refuses is information', () => {
    const found = validate(object('WasmPlugin', { url: 'oci://a', pluginName: '' }, 'extensions.istio.io/v1alpha1'))
    expect(found.map(({ severity, path, code }) => `${severity} ${path} ${code}`)).toEqual(['Info spec.pluginName LTN0110'])
  })

  test('a spelling in snake_case works and is pointed out', () => {
    expect(messages('VirtualService', '{hosts: [a], http: [{direct_response: {status: 200}}]}')).toEqual([
      'spec.http[0].direct_response: a Kubernetes API server drops this field because of its spelling; write directResponse',
    ])
  })
})

describe('bounds', () => {
  test('the number of problems is bounded', () => {
    expect(validate(object('VirtualService', { hosts: Array.from({ length: 5000 }, () => '_') })).length).toBe(201)
  })

  test('free-form values may not nest without end', () => {
    let value: unknown = {}
    for (let i = 0; i < 5000; i++) value = { value }
    const patch = { applyTo: 'CLUSTER', patch: { operation: 'MERGE', value } }
    const found = validate(object('EnvoyFilter', { configPatches: [patch] }, 'networking.istio.io/v1alpha3'))
    expect(found.some(({ code }) => code === 'LTN0006')).toBe(true)
  })

  test.each([
    [null],
    [5],
    ['text'],
    [[]],
    [{}],
    [{ apiVersion: 5, kind: {} }],
    [{ apiVersion: 'networking.istio.io/v1', kind: 'Gateway', metadata: 5, spec: 'x' }],
  ])('%j is survived', (value) => {
    expect(Array.isArray(validate(value))).toBe(true)
  })
})

test('a diagnostic names file, line and column', () => {
  const text = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart]
  http:
  - route:
    - destination: {host: cart}
    timeout: 1h
    retries:
      attempts: 2
      retryOn: 5xxx
`
  const { objects } = parseDocuments(text, 'cart.yaml')
  const [found] = objects.flatMap(({ object: one, positionOf }) => validate(one, { file: 'cart.yaml', positions: positionOf }))
  expect(found).toMatchObject({
    severity: 'Error',
    object: { kind: 'VirtualService', namespace: 'shop', name: 'cart' },
    path: 'spec.http[0].retries.retryOn',
    file: 'cart.yaml',
    position: { line: 12, column: 7 },
  })
})
