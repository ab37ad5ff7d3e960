import type { KubeObject } from '@lateen/api'
import { expect, test } from 'vitest'
import { createLiveWorld } from '../analysis/live-world.ts'
import { createObjectWarnings } from './object-warnings.ts'

const object = (kind: string, name: string, spec: unknown): KubeObject => ({
  apiVersion: kind === 'Service' ? 'v1' : 'networking.istio.io/v1',
  kind,
  metadata: { name, namespace: 'shop' },
  spec,
})
const service = (name: string) => object('Service', name, { ports: [{ name: 'http', port: 80 }] })
const route = (name: string, host: string, destination: Record<string, string>, extra = {}) =>
  object('VirtualService', name, { hosts: [host], ...extra, http: [{ route: [{ destination }] }] })
const subsets = (...names: string[]) =>
  object('DestinationRule', 'cart', { host: 'cart', subsets: names.map((name) => ({ name, labels: { version: name } })) })

const warningsOf = (candidate: KubeObject, ...live: KubeObject[]) =>
  createObjectWarnings(createLiveWorld({ objects: () => live, mesh: () => ({ mesh: {}, networks: {} }) })).of(candidate)

test('a route to a host, a subset and a gateway that are not there is told so, each with its place and code', () => {
  expect(warningsOf(route('cart', 'cart', { host: 'card', subset: 'v9' }, { gateways: ['edge'] }), service('cart'))).toEqual([
    expect.stringMatching(/^spec\.http\[0\]\.route\[0\]\.destination\.host: .*card.*\(IST0101\)$/),
    expect.stringMatching(/^spec\.http\[0\]\.route\[0\]\.destination\.host: .*card\+v9.*\(IST0101\)$/),
    expect.stringMatching(/^spec\.gateways\[0\]: .*edge.*\(IST0101\)$/),
    expect.stringMatching(/edge.*\(IST0132\)$/),
  ])
})

test('a second rule for one host is told of the first', () => {
  const found = warningsOf(route('second', 'cart', { host: 'cart' }), route('first', 'cart', { host: 'cart' }), service('cart'))
  expect(found[0]).toMatch(/first.*second.*\(IST0109\)/)
})

test('what a change takes from others is said with their names', () => {
  const live = [service('cart'), subsets('v1', 'v2'), route('cart', 'cart', { host: 'cart', subset: 'v2' })]
  expect(warningsOf(subsets('v1'), ...live).at(-1)).toMatch(/^VirtualService shop\/cart: .*cart\+v2.*\(IST0101\)$/)
})

test('an object that fits the others, and what was wrong before, give no warning', () => {
  const live = [service('cart'), route('lost', 'lost', { host: 'nobody' })]
  expect(warningsOf(route('cart', 'cart', { host: 'cart' }), ...live)).toEqual([])
  expect(warningsOf(service('pay'), ...live)).toEqual([])
})

test('a thousand objects of each kind take less time than anyone notices', () => {
  const live = Array.from({ length: 1_000 }, (_, i) => `app-${i}`).flatMap((name) => [
    service(name),
    route(name, name, { host: name }),
    object('DestinationRule', name, { host: name }),
  ])
  const warnings = createObjectWarnings(createLiveWorld({ objects: () => live, mesh: () => ({ mesh: {}, networks: {} }) }))
  const candidate = route('new', 'app-1', { host: 'app-2' })
  // Objects are read when they are seen first.
  warnings.of(candidate)
  const times = Array.from({ length: 5 }, () => {
    const began = performance.now()
    expect(warnings.of(candidate)[0]).toMatch(/IST0109/)
    return performance.now() - began
  })
  expect(Math.min(...times)).toBeLessThan(50)
})
