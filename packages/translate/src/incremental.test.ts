import type { KubeObject } from '@lateen/api'
import { openProxy, resourcesOf, SHOWN_TYPES } from '@lateen/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ProxySession } from './index.ts'
import { anySettings, meshWith } from './testdata/random-mesh.ts'
import { anyObject, change, keyOf, PROXIES } from './testdata/random-objects.ts'

const contents = (session: ProxySession) =>
  Object.fromEntries(
    Object.entries(SHOWN_TYPES).map(([type, typeUrl]) => [
      type,
      [...resourcesOf(session.resources(typeUrl))].map(([resource, bytes]) => `${resource} ${Buffer.from(bytes).toString('base64')}`),
    ]),
  )

test('law: after any sequence of changes every proxy holds what a fresh mesh would give it, byte for byte', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(change, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 8 }),
      anySettings,
      (batches, settings) => {
        const mesh = meshWith([], settings)
        const kept = new Map<string, KubeObject>()
        const told = new Set<number>()
        const sessions = PROXIES.map((proxy, i) => openProxy(mesh, proxy, () => void told.add(i)))
        let before = sessions.map(contents)
        for (const batch of batches) {
          told.clear()
          mesh.apply(batch)
          for (const { operation, object: o } of batch) {
            if (operation === 'set') kept.set(keyOf(o), o)
            else kept.delete(keyOf(o))
          }
          const expected = meshWith(kept.values(), settings)
          const now = sessions.map(contents)
          expect(now).toEqual(PROXIES.map((proxy) => contents(openProxy(expected, proxy))))
          now.forEach((value, i) => {
            if (JSON.stringify(value) !== JSON.stringify(before[i])) expect(told.has(i)).toBe(true)
          })
          before = now
        }
      },
    ),
    { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 60) },
  )
}, 120_000)

test('law: the order in which objects arrive changes nothing', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(anyObject, { selector: keyOf, minLength: 2, maxLength: 12 }),
      fc.nat(),
      anySettings,
      (objects, seed, settings) => {
        const shuffled = [...objects].sort((a, b) => ((keyOf(a).length * 31 + seed) % 7) - ((keyOf(b).length * 31 + seed) % 7))
        const [one, other] = [meshWith(objects, settings), meshWith(shuffled, settings)]
        for (const proxy of PROXIES) expect(contents(openProxy(one, proxy))).toEqual(contents(openProxy(other, proxy)))
      },
    ),
    { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 60) },
  )
}, 120_000)
