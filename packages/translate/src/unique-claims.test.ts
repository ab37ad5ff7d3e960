import { TYPE_URL } from '@lateen/envoy'
import { decodeResource, openProxy, SHOWN_TYPES } from '@lateen/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ProxySession } from './index.ts'
import { anySettings, meshWith } from './testdata/random-mesh.ts'
import { anyObject, keyOf, PROXIES } from './testdata/random-objects.ts'

interface VirtualHostView {
  readonly name: string
  readonly domains: readonly string[]
}

interface ListenerView {
  readonly name: string
  readonly address?: unknown
  readonly additionalAddresses?: readonly { readonly address: unknown }[]
  readonly filterChains?: readonly { readonly filterChainMatch?: unknown }[]
}

/** Every resource of a type, part by part: what stands in two parts is there twice. */
const all = <T>(session: ProxySession, typeUrl: string): readonly { readonly name: string; readonly message: T }[] =>
  session
    .resources(typeUrl)
    .parts.flatMap((part) => [...part.values()])
    .map(({ name, bytes }) => ({ name, message: decodeResource(typeUrl, bytes) as T }))

const twice = (values: readonly string[]): string[] => values.filter((value, i) => values.indexOf(value) !== i)

/** Domains that stand in two virtual hosts of one route configuration, whose comparison knows no case. */
function sharedDomains(session: ProxySession): string[] {
  const hosts = new Map<string, VirtualHostView[]>()
  const add = (configuration: string, list: readonly VirtualHostView[]) =>
    hosts.set(configuration, [...(hosts.get(configuration) ?? []), ...list])
  for (const { name, message } of all<{ readonly virtualHosts?: readonly VirtualHostView[] }>(session, TYPE_URL.RDS))
    add(name, message.virtualHosts ?? [])
  for (const { name, message } of all<VirtualHostView>(session, TYPE_URL.VHDS)) add(name.slice(0, name.indexOf('/')), [message])
  return [...hosts].flatMap(([configuration, list]) =>
    twice(list.flatMap(({ domains }) => domains.map((domain) => domain.toLowerCase()))).map((domain) => `${domain} in ${configuration}`),
  )
}

function sharedMatches(session: ProxySession): string[] {
  return all<ListenerView>(session, TYPE_URL.LDS).flatMap(({ name, message }) =>
    twice((message.filterChains ?? []).map(({ filterChainMatch }) => JSON.stringify(filterChainMatch ?? {}))).map(
      (match) => `${match} in ${name}`,
    ),
  )
}

const sharedAddresses = (session: ProxySession): string[] =>
  twice(
    all<ListenerView>(session, TYPE_URL.LDS).flatMap(({ message }) =>
      [message.address, ...(message.additionalAddresses ?? []).map(({ address }) => address)].map((address) => JSON.stringify(address)),
    ),
  )

const sharedNames = (session: ProxySession): string[] =>
  Object.entries(SHOWN_TYPES).flatMap(([type, typeUrl]) =>
    twice(session.resources(typeUrl).parts.flatMap((part) => [...part.keys()])).map((name) => `${type} ${name}`),
  )

test('law: nothing that Envoy must tell apart is there twice: names, domains, matches of filter chains, addresses', () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyObject, { selector: keyOf, minLength: 3, maxLength: 20 }), anySettings, (objects, settings) => {
      const mesh = meshWith(objects, settings)
      for (const proxy of PROXIES) {
        const session = openProxy(mesh, proxy)
        expect({
          names: sharedNames(session),
          domains: sharedDomains(session),
          matches: sharedMatches(session),
          addresses: sharedAddresses(session),
        }).toEqual({ names: [], domains: [], matches: [], addresses: [] })
      }
    }),
    { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 100) },
  )
}, 120_000)
