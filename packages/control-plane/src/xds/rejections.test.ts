import { type ObjectRef, objectName } from '@lateen/base'
import { beforeEach, describe, expect, test } from 'vitest'
import { culprits, RejectionLedger } from './rejections.ts'

const CDS = 'type.googleapis.com/envoy.config.cluster.v3.Cluster'
const LDS = 'type.googleapis.com/envoy.config.listener.v3.Listener'
const rule = (name: string): ObjectRef => ({ kind: 'DestinationRule', namespace: 'shop', name })
const refused = (name: string, ...origins: ObjectRef[]) => ({ name, origins })

describe('the ledger of rejections', () => {
  let log: string[] = []
  let ledger: RejectionLedger<object>
  beforeEach(() => {
    log = []
    ledger = new RejectionLedger({
      rejected: ({ object, resource, message, nodeId }) => log.push(`${nodeId} refuses ${resource} of ${objectName(object)}: ${message}`),
      cleared: (object) => log.push(`${objectName(object)} is clear`),
    })
  })

  test('tells which object made what was refused, and that it is clear when the type is accepted', () => {
    const session = {}
    ledger.reject(session, CDS, 'p1', [refused('outbound|80||cart', rule('cart'))], 'bad cipher')
    ledger.accept(session, LDS)
    expect(log).toEqual(['p1 refuses Cluster outbound|80||cart of DestinationRule shop/cart: bad cipher'])
    expect(ledger.isRefused(rule('cart'))).toBe(true)
    ledger.accept(session, CDS)
    expect(log.at(-1)).toBe('DestinationRule shop/cart is clear')
    expect(ledger.isRefused(rule('cart'))).toBe(false)
  })

  test('an object is clear only when the last proxy that refuses it accepts or goes away', () => {
    const [one, two, three] = [{}, {}, {}]
    for (const session of [one, two, three]) ledger.reject(session, CDS, 'p', [refused('c', rule('cart'))], 'm')
    log = []
    ledger.accept(one, CDS)
    ledger.close(two)
    expect(log).toEqual([])
    ledger.close(three)
    expect(log).toEqual(['DestinationRule shop/cart is clear'])
  })

  test('a refusal of something else clears what was refused before', () => {
    const session = {}
    ledger.reject(session, CDS, 'p', [refused('a', rule('a'))], 'm')
    ledger.reject(session, CDS, 'p', [refused('b', rule('b'))], 'm')
    expect(log.at(-1)).toBe('DestinationRule shop/a is clear')
    expect(ledger.isRefused(rule('b'))).toBe(true)
  })
})

describe('culprits', () => {
  test('are the resources that the message names, as whole names', () => {
    const names = ['0.0.0.0_80', '0.0.0.0_8080', 'virtualInbound']
    expect(culprits(names, 'Error adding/updating listener(s) 0.0.0.0_8080: duplicate filter chain')).toEqual(['0.0.0.0_8080'])
    expect(
      culprits(['outbound|80||a.shop', 'outbound|80|v1|a.shop'], 'Error adding/updating cluster(s) outbound|80|v1|a.shop: no'),
    ).toEqual(['outbound|80|v1|a.shop'])
  })

  test('are all of a small response that names none, and nobody of a large one', () => {
    expect(culprits(['a', 'b'], 'no reason')).toEqual(['a', 'b'])
    expect(
      culprits(
        Array.from({ length: 100 }, (_, i) => `r${i}x`),
        'no reason',
      ),
    ).toEqual([])
  })
})
