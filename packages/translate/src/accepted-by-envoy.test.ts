import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findEnvoy, meshOf, openProxy, readCase, refusal, staticBootstrap } from '@lateen/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anySettings, meshWith } from './testdata/random-mesh.ts'
import { anyObject, keyOf, PROXIES } from './testdata/random-objects.ts'

const envoy = findEnvoy()
const features = join(import.meta.dirname, 'features')

describe.skipIf(!envoy)('Envoy accepts', () => {
  test('what every golden case asks for', () => {
    const refused: string[] = []
    for (const feature of readdirSync(features)) {
      const folder = join(features, feature, 'testdata')
      if (!existsSync(folder)) continue
      for (const name of readdirSync(folder).filter((file) => file.endsWith('.in.yaml'))) {
        const meshCase = readCase(readFileSync(join(folder, name), 'utf8'))
        const why = refusal(envoy ?? '', staticBootstrap(openProxy(meshOf(meshCase), meshCase.header.proxy)))
        if (why) refused.push(`${name}: ${why}`)
      }
    }
    expect(refused).toEqual([])
  }, 120_000)

  test('what any mixture of valid objects gives each kind of proxy', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(anyObject, { selector: keyOf, minLength: 5, maxLength: 25 }),
        fc.constantFrom(...PROXIES),
        anySettings,
        (objects, proxy, settings) => {
          expect(refusal(envoy ?? '', staticBootstrap(openProxy(meshWith(objects, settings), proxy)))).toBe('')
        },
      ),
      { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 40) },
    )
  }, 120_000)
})
