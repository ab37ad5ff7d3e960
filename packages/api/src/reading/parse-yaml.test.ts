import { expect, test } from 'vitest'
import { parseYaml } from './parse-yaml.ts'

const keys = (count: number) => Array.from({ length: count }, (_, i) => `k${i}: 1`).join('\n')
const timeOf = (work: () => unknown): number => {
  const began = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(began)
  return (user + system) / 1000
}

test('reads what YAML says', () => {
  expect(parseYaml('a: 1\nb: [x, {y: z}]\n', { maxAliasCount: 0 })).toEqual({ a: 1, b: ['x', { y: 'z' }] })
  expect(parseYaml('', { maxAliasCount: 0 })).toBeNull()
  expect(parseYaml('a: &x [1]\nb: *x\n', { maxAliasCount: 10 })).toEqual({ a: [1], b: [1] })
})

test.each([
  ['a: 1\na: 2\n', 'the key "a" is there twice'],
  ['x:\n  - {b: 1, b: 2}\n', 'the key "b" is there twice'],
  ['a: [1', 'Flow sequence'],
  ['a: &x [1]\nb: *x\n', 'Alias'],
  ['['.repeat(20_000), 'stack'],
])('refuses %j', (text, said) => {
  expect(() => parseYaml(text, { maxAliasCount: 0 })).toThrow(said)
})

test('eight times as many keys take no more than some eight times as long', () => {
  parseYaml(keys(500), { maxAliasCount: 0 })
  const few = timeOf(() => parseYaml(keys(2_000), { maxAliasCount: 0 }))
  const many = timeOf(() => parseYaml(keys(16_000), { maxAliasCount: 0 }))
  expect(many).toBeLessThan(30 * Math.max(few, 5))
})

test('a key such as __proto__ is a key', () => {
  const value = parseYaml('__proto__: {polluted: yes}\nconstructor: {prototype: {polluted: yes}}\n', { maxAliasCount: 0 })
  expect(Object.keys(Object(value))).toEqual(['__proto__', 'constructor'])
  expect(Reflect.get({}, 'polluted')).toBeUndefined()
})
