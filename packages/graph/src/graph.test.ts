import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CycleError, Family, Graph } from './index.ts'

interface Pod {
  readonly app: string
  readonly ip: string
}

/** Pods → upper-cased addresses (collection) → one line an app → one page of all apps that a config source names. */
function example(graph: Graph) {
  const pods = graph.source<Pod>('pods', { app: (pod) => [pod.app] })
  const shown = graph.source<string>('shown')
  const runs = { lines: 0, page: 0 }
  const addresses = graph.collection(
    'addresses',
    pods,
    (_, pod, key) => (pod.ip === 'none' ? [] : [[key, { app: pod.app, text: pod.ip.toUpperCase() }]]),
    {
      app: (address) => [address.app],
    },
  )
  const line = new Family<string, string>('line', (context, app) => {
    runs.lines++
    return context
      .list(addresses, 'app', app)
      .map((address) => address.text)
      .join(',')
  })
  const page = new Family<string, string>('page', (context) => {
    runs.page++
    return context
      .all(shown)
      .map((app) => `${app}=${context.read(line, app)}`)
      .join(';')
  })
  return { pods, shown, addresses, line, page, runs }
}

describe('the graph', () => {
  test('computes again only what read what changed', () => {
    const graph = new Graph()
    const { pods, shown, page, runs } = example(graph)
    graph.batch(() => {
      pods.set('a', { app: 'cart', ip: 'x1' })
      pods.set('b', { app: 'shop', ip: 'x2' })
      shown.set('1', 'cart')
      shown.set('2', 'shop')
    })
    const seen: string[] = []
    const watch = graph.watch(page, '', (value) => seen.push(value))
    expect(watch.value()).toBe('cart=X1;shop=X2')
    expect(runs).toEqual({ lines: 2, page: 1 })
    graph.batch(() => pods.set('b', { app: 'shop', ip: 'x3' }))
    expect(seen).toEqual(['cart=X1;shop=X3'])
    expect(runs).toEqual({ lines: 3, page: 2 })
  })

  test('stops where the new value equals the old', () => {
    const graph = new Graph()
    const { pods, shown, page, runs } = example(graph)
    graph.batch(() => {
      pods.set('a', { app: 'cart', ip: 'x1' })
      shown.set('1', 'cart')
    })
    const watch = graph.watch(page, '', () => expect.unreachable('nothing changed'))
    graph.batch(() => pods.set('a', { app: 'cart', ip: 'X1' }))
    graph.batch(() => pods.set('z', { app: 'other', ip: 'x9' }))
    expect(watch.value()).toBe('cart=X1')
    expect(runs).toEqual({ lines: 1, page: 1 })
  })

  test('forgets what nobody reads any more', () => {
    const graph = new Graph()
    const { pods, shown, page, line } = example(graph)
    graph.batch(() => {
      pods.set('a', { app: 'cart', ip: 'x1' })
      shown.set('1', 'cart')
    })
    const watch = graph.watch(page, '', () => {})
    expect(line.cells.size).toBe(1)
    graph.batch(() => shown.delete('1'))
    expect(line.cells.size).toBe(0)
    watch.close()
    expect(page.cells.size).toBe(0)
  })

  test('names the inputs of a result', () => {
    const graph = new Graph()
    const { pods, shown, page } = example(graph)
    graph.batch(() => {
      pods.set('a', { app: 'cart', ip: 'x1' })
      shown.set('1', 'cart')
    })
    expect(Object.fromEntries(graph.origins(page, ''))).toEqual({ addresses: ['a'], shown: ['1'] })
  })

  test('a computation that throws throws for its readers and recovers', () => {
    const graph = new Graph()
    const source = graph.source<number>('numbers')
    const half = new Family<string, number>('half', (context, key) => {
      const value = context.get(source, key) ?? 0
      if (value % 2) throw new Error(`${value} is odd`)
      return value / 2
    })
    const safe = new Family<string, string>('safe', (context, key) => {
      try {
        return String(context.read(half, key))
      } catch (error) {
        return error instanceof Error ? error.message : 'unknown'
      }
    })
    graph.batch(() => source.set('k', 4))
    const watch = graph.watch(safe, 'k', () => {})
    graph.batch(() => source.set('k', 5))
    expect(watch.value()).toBe('5 is odd')
    graph.batch(() => source.set('k', 6))
    expect(watch.value()).toBe('3')
  })

  test('a circle is an error that names it', () => {
    const graph = new Graph()
    const loop: Family<string, number> = new Family<string, number>('loop', (context, key) => context.read(loop, key) + 1)
    expect(() => graph.peek(loop, 'x')).toThrow(CycleError)
  })

  test('equal values are interned to one object', () => {
    const graph = new Graph()
    expect(graph.intern({ a: 1, b: [2] })).toBe(graph.intern({ b: [2], a: 1 }))
    expect(graph.intern({ a: 1 })).not.toBe(graph.intern({ a: 2 }))
  })

  test('law: after any sequence of changes the result equals a fresh computation', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd')
    const app = fc.constantFrom('cart', 'shop', 'pay')
    const change = fc.oneof(
      fc.record({ do: fc.constant('pod' as const), key, app, ip: fc.constantFrom('x1', 'x2', 'X1', 'none') }),
      fc.record({ do: fc.constant('unpod' as const), key }),
      fc.record({ do: fc.constant('show' as const), key, app }),
      fc.record({ do: fc.constant('hide' as const), key }),
      fc.record({ do: fc.constant('watch' as const) }),
    )
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 12 }), (batches) => {
        const graph = new Graph()
        const kept = example(graph)
        let watch = graph.watch(kept.page, '', () => {})
        let told = watch.value()
        watch.close()
        watch = graph.watch(kept.page, '', (value) => {
          told = value
        })
        for (const batch of batches) {
          graph.batch(() => {
            for (const step of batch) {
              if (step.do === 'pod') kept.pods.set(step.key, { app: step.app, ip: step.ip })
              if (step.do === 'unpod') kept.pods.delete(step.key)
              if (step.do === 'show') kept.shown.set(step.key, step.app)
              if (step.do === 'hide') kept.shown.delete(step.key)
            }
          })
          const again = new Graph()
          const fresh = example(again)
          again.batch(() => {
            for (const k of kept.pods.keys()) fresh.pods.set(k, kept.pods.peek(k) ?? { app: '', ip: '' })
            for (const k of kept.shown.keys()) fresh.shown.set(k, kept.shown.peek(k) ?? '')
          })
          expect(told).toBe(again.peek(fresh.page, ''))
          expect(watch.value()).toBe(told)
        }
      }),
    )
  })

  test('a union holds what its sources hold, of a key in two the first one has', () => {
    const graph = new Graph()
    const [first, second] = [graph.source<string>('first'), graph.source<string>('second')]
    const both = graph.union('both', [first, second], { letter: (value) => [value.slice(0, 1)] })
    const page = new Family<string, string>('page', (context) => context.list(both, 'letter', 'x').join(','))
    const watch = graph.watch(page, '', () => {})
    graph.batch(() => {
      first.set('a', 'x1')
      second.set('a', 'x2')
      second.set('b', 'x3')
      second.set('c', 'y4')
    })
    expect(watch.value()).toBe('x1,x3')
    graph.batch(() => first.delete('a'))
    expect(watch.value()).toBe('x2,x3')
    graph.batch(() => second.delete('a'))
    expect(watch.value()).toBe('x3')
  })
})
