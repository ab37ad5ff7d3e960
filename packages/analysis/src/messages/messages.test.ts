/** The catalogue compared with the facts about Istio's, when they are at hand. */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { documentationUrl, isMessageCode, MESSAGES } from './messages.ts'

const FACTS = new URL('../../../../../shared/facts/analysis-messages.json', import.meta.url)

interface Fact {
  readonly code: string
  readonly name: string
  readonly level: string
  readonly args: readonly { readonly name: string; readonly type: string }[]
}

describe.skipIf(!existsSync(FACTS))("Istio's messages", () => {
  const facts: readonly Fact[] = existsSync(FACTS) ? JSON.parse(readFileSync(FACTS, 'utf8')) : []

  test('are all here, with their codes and levels', () => {
    const ours = Object.entries(MESSAGES).map(([name, { code, level }]) => `${code} ${name} ${level}`)
    expect(ours.sort()).toEqual(facts.map(({ code, name, level }) => `${code} ${name} ${level}`).sort())
  })

  test.each(facts)('$code says its arguments', ({ name, args }) => {
    const values = Object.fromEntries(
      args.map((argument, i) => [
        argument.name,
        argument.type.startsWith('[]') ? [i + 7001] : argument.type === 'string' ? `${i + 7001}` : i + 7001,
      ]),
    )
    const message = MESSAGES[name as keyof typeof MESSAGES]
    // The values have the types that the facts name.
    const text = message.text(values as never)
    for (const [i, argument] of args.entries()) expect(text, argument.name).toContain(`${i + 7001}`)
  })
})

test('codes are unique', () => {
  const codes = Object.values(MESSAGES).map(({ code }) => code)
  expect(new Set(codes).size).toBe(codes.length)
})

test('a code has a page', () => {
  expect(isMessageCode('IST0101')).toBe(true)
  expect(isMessageCode('IST9999')).toBe(false)
  expect(documentationUrl('IST0101')).toBe('https://istio.io/v1.30/docs/reference/config/analysis/ist0101/')
})
