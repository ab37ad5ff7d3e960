import { describe, expect, test } from 'vitest'
import { parseDocuments } from './parse-documents.ts'

const head = 'apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata:\n  name: web\n'
const said = (text: string) =>
  parseDocuments(text, 'f.yaml').diagnostics.map(
    ({ severity, code, position, message }) => `${severity} ${code} ${position?.line}:${position?.column} ${message}`,
  )

test('reads several documents, leaves empty ones out and keeps the order', () => {
  const { objects, diagnostics } = parseDocuments(`# a comment\n---\n${head}---\n---\n${head.replace('web', 'other')}...\n`, 'f.yaml')
  expect(objects.map(({ object }) => object.metadata.name)).toEqual(['web', 'other'])
  expect(diagnostics).toEqual([])
})

test('reads JSON', () => {
  const { objects, diagnostics } = parseDocuments(
    '{\n\t"apiVersion": "v1",\n\t"kind": "Service",\n\t"metadata": {"name": "a"}\n}',
    'f.json',
  )
  expect(objects[0]?.object.kind).toBe('Service')
  expect(diagnostics).toEqual([])
})

test('reads the lists that kubectl prints, with positions', () => {
  const { objects } = parseDocuments(
    'apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: a\n',
    'f.yaml',
  )
  expect(objects.map(({ object }) => object.metadata.name)).toEqual(['a'])
  expect(objects[0]?.positionOf('metadata.name')).toEqual({ line: 7, column: 5 })
})

test('finds the place of a path, or of the nearest part around it', () => {
  const [one] = parseDocuments(
    `${head}spec:\n  servers:\n  - hosts: [a.com]\n    port: {number: 80}\n  selector:\n    a.b/c: d\n`,
    'f.yaml',
  ).objects
  expect(one?.positionOf('spec.servers[0].port.number')).toEqual({ line: 8, column: 12 })
  expect(one?.positionOf('spec.servers[0].tls.mode')).toEqual({ line: 7, column: 5 })
  expect(one?.positionOf('spec.selector["a.b/c"]')).toEqual({ line: 10, column: 5 })
  expect(one?.positionOf('')).toEqual({ line: 1, column: 1 })
})

test('plain words mean what they mean to kubectl', () => {
  const [one] = parseDocuments(`${head}spec: {a: yes, b: off, c: 0644, d: 12:30:45, e: 2001-01-01, f: 1e3, g: ~, h: y}\n`, 'f.yaml').objects
  expect(one?.object.spec).toEqual({ a: true, b: false, c: 420, d: '12:30:45', e: '2001-01-01', f: 1000, g: null, h: true })
})

describe('what is wrong is said with its line', () => {
  test.each([
    [
      'tab',
      `${head}spec:\n\tservers: []\n`,
      ['Error LTN0002 6:1 the line is indented with a tab; YAML allows only spaces there, replace the tab'],
    ],
    [
      'no-break spaces',
      `${head}spec:\n\u00a0\u00a0servers: []\n\u00a0\u00a0selector: {}\n`,
      [
        'Error LTN0003 6:1 the line and 1 more lines hold a no-break space (U+00A0), which looks like a space but is none; replace it by a plain space',
      ],
    ],
    [
      'no-break space after the colon',
      `${head}spec:\u00a0{}\n`,
      ['Error LTN0003 5:1 the line holds a no-break space (U+00A0), which looks like a space but is none; replace it by a plain space'],
    ],
    ['duplicate key', `${head}spec: {}\nspec: {}\n`, ['Error LTN0004 6:1 "spec" is given twice in the same place; keep one of them']],
    [
      'not an object',
      'just text\n',
      ['Error LTN0007 1:1 the document is the text "just text"; an object with apiVersion, kind and metadata is needed'],
    ],
    [
      'no apiVersion',
      'kind: Gateway\nmetadata: {name: a}\n',
      ['Error LTN0008 1:1 apiVersion is missing; write apiVersion: networking.istio.io/v1'],
    ],
    [
      'no kind',
      'apiVersion: v1\nmetadata: {name: a}\n',
      ['Error LTN0009 1:1 kind is missing; it says what the object is, for example kind: VirtualService'],
    ],
    ['no name', 'apiVersion: v1\nkind: Service\nmetadata: {}\n', ['Error LTN0010 3:1 metadata.name is missing; every object needs a name']],
    [
      'unknown kind',
      head.replace('Gateway', 'VirtualServce'),
      ['Error LTN0011 2:1 the kind VirtualServce does not exist in networking.istio.io; did you mean "VirtualService"?'],
    ],
    [
      'kind of another group',
      head.replace('Gateway', 'PeerAuthentication'),
      ['Error LTN0011 2:1 the kind PeerAuthentication does not exist in networking.istio.io; PeerAuthentication is in security.istio.io'],
    ],
    [
      'unknown group',
      head.replace('networking', 'netwrking'),
      ['Error LTN0012 1:1 the API group netwrking.istio.io is not known; Gateway is in networking.istio.io'],
    ],
    [
      'shell command',
      `kubectl apply -f x.yaml\n\n${head}`,
      ['Error LTN0016 1:1 the line looks like a shell command, not like YAML; remove it from the file'],
    ],
    [
      'typographic quotes',
      `${head}spec:\n  selector: \u201ca\u201d\n`,
      ['Warning LTN0015 6:3 the line holds a typographic quotation mark, which YAML takes as part of the text; use " or \''],
    ],
  ])('%s', (_, text, expected) => {
    expect(said(text)).toEqual(expected)
  })

  test('a tab inside a block of text is no fault', () => {
    expect(said(`apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  Makefile: |\n    all:\n    \techo\n`)).toEqual([])
  })

  test('one unreadable document does not keep the others away', () => {
    const { objects, diagnostics } = parseDocuments(`${head}spec: {a: [}\n---\n${head.replace('web', 'other')}`, 'f.yaml')
    expect(objects.map(({ object }) => object.metadata.name)).toEqual(['other'])
    expect(diagnostics).toHaveLength(1)
  })

  test("kinds that are not Istio's are let through", () => {
    expect(said('apiVersion: example.com/v1\nkind: Anything\nmetadata: {name: a}\n')).toEqual([])
    expect(said('apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec: {}\n')).toEqual([])
  })
})

describe('bounds', () => {
  test('a file that is too large is not parsed', () => {
    expect(said('a'.repeat(17 * 1024 * 1024))).toEqual(['Error LTN0005 undefined:undefined the file is larger than 16 MiB; split it'])
  })

  test('anchors that multiply are refused', () => {
    const levels = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array.from({ length: 10 }, () => `*a${i}`).join(', ')}]`)
    expect(said(`a0: &a0 [x]\n${levels.join('\n')}\n`)[0]).toContain('LTN0001')
  })

  test('deep nesting is refused', () => {
    expect(said(`${head}spec: ${'['.repeat(200)}${']'.repeat(200)}\n`)[0]).toContain('LTN0006')
    expect(said(`${head}spec: ${'['.repeat(100_000)}\n`).length).toBeGreaterThan(0)
  })
})
