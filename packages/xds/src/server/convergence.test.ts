/** The law of the server: whatever happened before, a client ends with exactly what it asked for. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type MemorySource, resource, textResource } from '../../testdata/memory-source.ts'
import { RunningServer } from '../../testdata/running-server.ts'
import { type SimulatedProxy, T } from '../../testdata/simulated-proxy.ts'
import { until } from '../../testdata/until.ts'
import type { ResourceSet } from '../resource-source.ts'

const WILDCARD = [T.CDS, T.LDS, T.NDS]
const NAMED = [T.EDS, T.RDS, T.SDS]
const NAMES = ['a', 'b']

type Step =
  | { readonly do: 'put'; readonly type: string; readonly name: string; readonly text: string }
  | { readonly do: 'remove'; readonly type: string; readonly name: string }
  | { readonly do: 'subscribe' | 'unsubscribe'; readonly type: string; readonly name: string }
  | { readonly do: 'publish' | 'hold' | 'answer' | 'reconnect' | 'wait' }

const SIGNALS = ['publish', 'publish', 'wait', 'wait', 'wait', 'hold', 'answer', 'reconnect'] as const
const name = fc.constantFrom(...NAMES)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('put' as const),
      type: fc.constantFrom(...WILDCARD, ...NAMED),
      name,
      text: fc.constantFrom('1', '2'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('put' as const),
      type: fc.constant(T.VHDS),
      name: fc.constantFrom('a/1', 'b/1'),
      text: fc.constantFrom('1', '2'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), type: fc.constantFrom(...WILDCARD, ...NAMED), name }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('remove' as const), type: fc.constant(T.VHDS), name: fc.constantFrom('a/1', 'b/1') }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('subscribe' as const, 'unsubscribe' as const), type: fc.constantFrom(...NAMED), name }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom(...SIGNALS) }) },
)

function put(source: MemorySource, type: string, name: string, text: string): void {
  // RouteConfiguration.vhds is field 9: so the server sees that virtual hosts belong to it.
  const made = textResource(name, text)
  source.put(type, type === T.RDS ? resource(name, Buffer.concat([made.bytes, Buffer.from([0x4a, 0])])) : made)
}

async function perform(step: Step, server: RunningServer, proxies: readonly SimulatedProxy[]): Promise<void> {
  if (step.do === 'put') put(server.source, step.type, step.name, step.text)
  else if (step.do === 'remove') server.source.remove(step.type, step.name)
  else if (step.do === 'publish') server.source.publish()
  else if (step.do === 'wait') await exchange(proxies)
  else {
    for (const proxy of proxies) {
      if (step.do === 'subscribe') proxy.subscribe(step.type, [step.name])
      else if (step.do === 'unsubscribe') proxy.unsubscribe(step.type, [step.name])
      else if (step.do === 'hold') proxy.holdAnswers()
      else if (step.do === 'answer') proxy.answerAll()
      else proxy.connect()
    }
  }
}

// Lets messages pass until nothing comes any more, so that later steps meet clients in every state, not only at the start.
async function exchange(proxies: readonly SimulatedProxy[]): Promise<void> {
  const count = () => proxies.reduce((sum, proxy) => sum + proxy.received.length, 0)
  for (let before = -1; before !== count(); ) {
    before = count()
    await new Promise((resolve) => setTimeout(resolve, 4))
  }
}

function texts(set: ResourceSet, wanted: (name: string) => boolean): Record<string, string> {
  const result: [string, string][] = []
  for (const part of set.parts)
    for (const r of part.values()) if (wanted(r.name)) result.push([r.name, Buffer.from(r.bytes).toString('latin1')])
  return Object.fromEntries(result.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** What is wrong with what a proxy holds; empty when nothing is. */
function faults(
  server: RunningServer,
  proxy: SimulatedProxy,
  subscribed: ReadonlyMap<string, ReadonlySet<string>>,
  delta: boolean,
): string {
  const wrong: string[] = []
  const compare = (type: string, want: Record<string, string>, have: Record<string, string>) => {
    if (JSON.stringify(want) !== JSON.stringify(have)) wrong.push(`${type}: wants ${JSON.stringify(want)}, has ${JSON.stringify(have)}`)
  }
  for (const type of WILDCARD)
    compare(
      type,
      texts(server.source.set(type), () => true),
      proxy.held(type),
    )
  for (const type of NAMED) {
    const want = texts(server.source.set(type), (name) => subscribed.get(type)?.has(name) ?? false)
    // State of the world cannot say that a named resource is gone, and says of an unknown route that it is empty; so does delta.
    const have = Object.entries(proxy.held(type)).filter(([name]) => name in want || (delta && type !== T.RDS))
    compare(type, want, Object.fromEntries(have))
  }
  if (delta) {
    const routes = texts(server.source.set(T.RDS), (name) => subscribed.get(T.RDS)?.has(name) ?? false)
    const want = texts(server.source.set(T.VHDS), (name) => (name.split('/')[0] ?? '') in routes)
    // Envoy lets go of the virtual hosts of a route configuration by itself.
    const have = Object.entries(proxy.held(T.VHDS)).filter(([name]) => (name.split('/')[0] ?? '') in routes)
    compare(T.VHDS, want, Object.fromEntries(have))
  }
  return wrong.join('\n')
}

for (const delta of [true, false]) {
  test(`after any sequence of changes, ${delta ? 'a delta' : 'a state-of-the-world'} client holds exactly what it asked for`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        await using server = await RunningServer.start()
        const proxy = server.proxy({ delta })
        for (const type of [...WILDCARD, ...(delta ? [T.VHDS] : [])]) proxy.subscribe(type)
        await until('the proxy is connected', () => server.xds.connections().length === 1)
        const subscribed = new Map<string, Set<string>>(NAMED.map((type) => [type, new Set()]))
        for (const step of steps) {
          await perform(step, server, [proxy])
          if (step.do === 'subscribe') subscribed.get(step.type)?.add(step.name)
          else if (step.do === 'unsubscribe') subscribed.get(step.type)?.delete(step.name)
        }
        server.source.publish()
        proxy.answerAll()
        let seen = 'nothing yet'
        await until('the proxy holds what it should', () => (seen = faults(server, proxy, subscribed, delta)) === '', 3000).catch(
          (error: unknown) => {
            throw new Error(`${String(error)}\n${seen}\n${proxy.error}\n${JSON.stringify(proxy.received, null, 1)}`)
          },
        )
        expect(proxy.error).toBe('')
      }),
      { numRuns: Number(process.env['FC_RUNS'] ?? 60) },
    )
  }, 120_000)
}
