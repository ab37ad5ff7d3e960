import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineTooLong, readLines } from './lines.ts'

async function* chunks(parts: readonly Uint8Array[]) {
  yield* parts
}

async function collect(parts: readonly Uint8Array[], max = 1000): Promise<string[]> {
  const lines: string[] = []
  for await (const some of readLines(chunks(parts), max)) lines.push(...some)
  return lines
}

test('lines are the same however the bytes are cut, even inside a character', async () => {
  const cuts = fc.array(fc.nat(200), { maxLength: 20 })
  const texts = fc.array(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => !text.includes('\n')),
    { maxLength: 10 },
  )
  await fc.assert(
    fc.asyncProperty(texts, cuts, async (lines, at) => {
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
      const points = [0, ...at.map((n) => Math.min(n, bytes.length)).sort((a, b) => a - b), bytes.length]
      const parts = points.slice(1).map((end, i) => bytes.subarray(points[i], end))
      expect(await collect(parts)).toEqual(lines)
    }),
  )
})

test('a line longer than allowed ends the stream, also before its end is seen', async () => {
  await expect(collect([Buffer.from('x'.repeat(11))], 10)).rejects.toThrow(LineTooLong)
  await expect(collect([Buffer.from('x'.repeat(6)), Buffer.from('x'.repeat(6)), Buffer.from('\n')], 10)).rejects.toThrow(LineTooLong)
})
