import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { PodObject } from '../../cluster/pods.ts'
import { writeArchive } from './archive.ts'
import { errorsOf, within } from './logs.ts'
import { withoutData, withoutKeys, withoutSecretVariables } from './redact.ts'
import { chosenContainers, fitsGlob, parseChoice } from './selection.ts'

const folder = mkdtempSync(join(tmpdir(), 'bug-report-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const pod = (name: string, namespace: string, labels: Record<string, string> = {}, owner?: string): PodObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace,
    labels: owner ? { ...labels, 'pod-template-hash': 'abc' } : labels,
    ...(owner
      ? {
          generateName: `${owner}-abc-`,
          ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${owner}-abc`, uid: '1', controller: true }],
        }
      : {}),
  },
  spec: { containers: [{ name: 'app' }] },
})

describe('which pods', () => {
  const cart = pod('cart-abc-1', 'shop', { app: 'cart', version: 'v2' }, 'cart')

  const chosen = (of: PodObject, include: readonly string[], exclude: readonly string[] = []) =>
    chosenContainers(of, ['istio-proxy', 'app'], { include: include.map(parseChoice), exclude: exclude.map(parseChoice) })

  test.each([
    ['shop', true],
    ['sh*', true],
    ['other', false],
    ['shop/cart', true],
    ['shop/car', false],
    ['*/cart/cart-*-1', true],
    ['shop///app=cart,version=v*', true],
    ['shop///app=web', false],
    ['////key=value', false],
    ['*/*/*/*/*', true],
    ['other, shop', true],
  ])('%s', (text, isIn) => {
    expect(chosen(cart, [text])).toHaveLength(isIn ? 2 : 0)
  })

  test('all but the excluded when nothing is included', () => {
    expect(chosen(cart, [], ['kube-system,kube-public'])).toHaveLength(2)
    expect(chosen(pod('dns', 'kube-system'), [], ['kube-system,kube-public'])).toEqual([])
  })

  test('containers by name: of those that are included, and of those that are not excluded', () => {
    expect(chosen(cart, ['shop/////istio-*'])).toEqual(['istio-proxy'])
    expect(chosen(cart, ['other', '*/*/*/*/*/app'])).toEqual(['app'])
    expect(chosen(cart, ['shop'], ['/////app'])).toEqual(['istio-proxy'])
    expect(() => parseChoice('a/b/c/d/e/f/g')).toThrow('at most')
  })
})

describe('keys and tokens', () => {
  const key = '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIOwnSecretBytes\n-----END EC PRIVATE KEY-----'
  const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl'

  test.each([
    ['a key in a block of YAML', `data:\n  tls.key: |\n    ${key.replaceAll('\n', '\n    ')}\n  next: here`, 'next: here'],
    ['a key in JSON', JSON.stringify({ key, next: 'here' }), '"next":"here"'],
    ['a key in base64', `a: ${Buffer.from(key).toString('base64')}\nnext: here`, 'next: here'],
    ['a key that is cut off', `here\n${key.slice(0, 50)}`, 'here'],
    ['a token', `sent ${token}, here`, 'sent (token of 49 characters), here'],
    ['a header', 'authorization: Bearer c2VjcmV0c2VjcmV0 here', 'Bearer (text of 16 characters) here'],
  ])('%s', (_, text, rest) => {
    const left = withoutKeys(text)
    expect(left).toContain(rest)
    expect(left).not.toMatch(/OwnSecret|T3duU2VjcmV0|c2VjcmV0|eyJzdWIi/)
  })

  test('long text made to be slow is not', () => {
    const began = performance.now()
    withoutKeys('eyJxxxxxxxx-'.repeat(200_000))
    withoutKeys('-----BEGIN PRIVATE KEY-----'.repeat(50_000))
    withoutKeys(`Bearer${' '.repeat(1_000_000)}`)
    expect(performance.now() - began).toBeLessThan(5_000)
  })

  test('certificates stay', () => {
    const chain = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----'
    const encoded = Buffer.from(chain).toString('base64')
    expect(withoutKeys(`${chain} ${encoded}`)).toBe(`${chain} ${encoded}`)
  })

  test('variables with names of secrets lose their value, others not', () => {
    const env = [
      { name: 'DB_PASSWORD', value: 'sesame' },
      { name: 'TOKEN_AUDIENCES', value: 'istio-ca' },
      { name: 'API_KEY', valueFrom: { secretKeyRef: { name: 'k', key: 'k' } } },
    ]
    expect(withoutSecretVariables({ spec: { containers: [{ name: 'web', env }] } })).toEqual({
      spec: { containers: [{ name: 'web', env: [{ name: 'DB_PASSWORD', value: '(text of 6 characters)' }, env[1], env[2]] }] },
    })
  })

  test('a Secret says how long things are', () => {
    expect(withoutData({ type: 'Opaque', data: { a: 'c2VjcmV0' } })).toEqual({ type: 'Opaque', data: { a: '(text of 8 characters)' } })
  })
})

test.each([
  ['*', 'anything', true],
  ['a*c', 'abc', true],
  ['a*c', 'ac', true],
  ['a*b*c', 'a-c-b', false],
  ['*a*', 'bab', true],
  ['aa*aa', 'aaa', false],
])('the pattern %s on %s', (pattern, text, fits) => {
  expect(fitsGlob(pattern, text)).toBe(fits)
})

test('lines of a log after the end are left out, times of the API server as well', () => {
  const log = '2030-01-01T10:00:00.1Z one\n2030-01-01T11:00:00Z two\n  more of two\n2030-01-01T12:00:01Z three\n'
  expect(within(log, new Date('2030-01-01T12:00:00Z'))).toBe('one\ntwo\n  more of two\n')
  expect(within(log, undefined)).toContain('three')
})

test('errors of a log are counted, the critical ones told', () => {
  const log = 'info all is well\nerror lost the way\nerror known and harmless\nwarn certificate has expired today\n'
  expect(errorsOf(log, ['certificate * expired'], ['known'])).toEqual({ critical: ['warn certificate has expired today'], others: 1 })
})

test('tar reads the archive, with long names and empty files', async () => {
  const target = join(folder, 'report.tar.gz')
  const long = `${'folder-with-a-name/'.repeat(6)}${'f'.repeat(80)}`
  async function* files() {
    yield { path: 'report/a.txt', content: Buffer.from('first\n') }
    yield { path: 'report/empty', content: Buffer.alloc(0) }
    yield { path: `report/${long}`, content: Buffer.alloc(2_000, 'x') }
  }
  await writeArchive(target, files(), new Date('2030-01-01T00:00:00Z'))
  execFileSync('tar', ['xzf', target, '-C', folder])
  expect(readFileSync(join(folder, 'report/a.txt'), 'utf8')).toBe('first\n')
  expect(readFileSync(join(folder, 'report/empty'), 'utf8')).toBe('')
  expect(readFileSync(join(folder, 'report', long), 'utf8')).toHaveLength(2_000)
})
