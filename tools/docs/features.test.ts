/** The feature table cannot rot: its tests exist, its fields exist, and no field of the kinds below is missing from it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KINDS, MeshConfig, MeshProxyConfig } from '@lateen/api'
import { describe, expect, test } from 'vitest'
import { cellsOf, missing, namedTest, spans } from './named-tests.ts'

const ROOT = join(import.meta.dirname, '../..')
const CASES = join(ROOT, 'conformance/cases')

/** The kinds all of whose fields must be in the table, or in the list of those that no row shows yet. */
const WANTED = new Set([
  'VirtualService',
  'DestinationRule',
  'Gateway',
  'ServiceEntry',
  'Sidecar',
  'WorkloadEntry',
  'WorkloadGroup',
  'ProxyConfig',
  'PeerAuthentication',
  'RequestAuthentication',
  'AuthorizationPolicy',
])

interface Row {
  readonly feature: string
  readonly fields: readonly string[]
  readonly tests: readonly string[]
}

const [table = '', list = ''] = readFileSync(join(ROOT, 'docs/features.md'), 'utf8').split('\n## Not shown yet\n')
const rows = rowsOf(table)
const open = new Set(spans(list).flatMap(expanded))
const named = new Set(rows.flatMap(({ fields }) => fields))

test.each(rows)('$feature: the tests of its row exist', ({ tests }) => {
  expect(tests).not.toEqual([])
  expect(tests.flatMap((each) => missing(namedTest(each), CASES) ?? [])).toEqual([])
})

describe.each(KINDS.filter(({ kind }) => WANTED.has(kind)))('$kind', ({ spec }) => {
  test('all of its fields are in the table', () => {
    expect([...fieldsOf(spec)].filter((field) => !named.has(field) && !open.has(field))).toEqual([])
  })
})

test('what a row shows is not in the list of what is not shown yet', () => {
  expect([...open].filter((field) => named.has(field))).toEqual([])
})

test('the fields in the table are those of the API', () => {
  const mesh = [MeshConfig.node, MeshProxyConfig.node]
  const known = new Set([...KINDS.map(({ spec }) => spec), ...mesh].flatMap((node) => [...fieldsOf(node)]))
  const messages = new Set([...known].map((field) => field.split('.')[0]))
  expect([...named, ...open].filter((field) => messages.has(field.split('.')[0]) && !known.has(field))).toEqual([])
})

function rowsOf(text: string): Row[] {
  const cells = cellsOf(text).filter(([first]) => first !== 'feature')
  return cells.map(([feature = '', fields = '', tests = '']) => ({
    feature: feature.trim(),
    fields: spans(fields).flatMap(expanded),
    tests: spans(tests),
  }))
}

/** `A.{b,c}` is `A.b` and `A.c`. */
function expanded(field: string): string[] {
  const [, message, list] = /^(\w+)\.\{([\w,]+)\}$/.exec(field) ?? []
  return list === undefined ? [field] : list.split(',').map((name) => `${message}.${name}`)
}

interface AnyNode {
  readonly kind: string
  readonly name?: string
  readonly items?: AnyNode
  readonly values?: unknown
  readonly fields?: Readonly<Record<string, { readonly node: AnyNode }>>
}

/** `Message.field` of a message and all below it. */
function fieldsOf(node: AnyNode, seen: Set<string> = new Set(), found: Set<string> = new Set()): Set<string> {
  if (node.kind === 'list' && node.items) fieldsOf(node.items, seen, found)
  if (node.kind === 'map' && isNode(node.values)) fieldsOf(node.values, seen, found)
  if (node.kind !== 'message' || !node.fields || seen.has(node.name ?? '')) return found
  seen.add(node.name ?? '')
  for (const [name, field] of Object.entries(node.fields)) {
    found.add(`${node.name}.${name}`)
    fieldsOf(field.node, seen, found)
  }
  return found
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'kind' in value
}
