/** Random policies and random callers: what the generated rules decide is what the policies say. */
import { fromBinary } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { AuthorizationPolicySpec } from '@lateen/api'
import { TYPE_URL } from '@lateen/envoy'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import type { RBAC } from '@lateen/envoy/gen/envoy/config/rbac/v3/rbac_pb.js'
import { RBACSchema as HttpRbacSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import { HttpConnectionManagerSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { RBACSchema as NetworkRbacSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import { decideRbac, type RbacSubject } from '@lateen/simulate'
import { newMesh, openProxy, resourcesOf } from '@lateen/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Approach, letsIn, MESH_DOMAINS } from '../../testdata/policy-meaning.ts'

const WORKLOAD = { namespace: 'shop', labels: { app: 'cart' } }

test('random policies decide about random callers as they say', () => {
  fc.assert(
    fc.property(
      fc.array(policy, { minLength: 1, maxLength: 3 }),
      fc.array(approach, { minLength: 12, maxLength: 12 }),
      (policies, callers) => {
        const rules = rulesOf(policies)
        for (const caller of callers)
          expect({ caller, allowed: decided(caller.request ? rules.http : rules.bytes, caller) }).toEqual({
            caller,
            allowed: letsIn(policies, caller),
          })
      },
    ),
    { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 150) },
  )
})

const some = (...values: readonly string[]) =>
  fc.option(fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 2 }), { nil: undefined, freq: 2 })

/** A few fields with values of theirs, at times as what must not be. */
function fields(vocabulary: Readonly<Record<string, readonly string[]>>): fc.Arbitrary<Record<string, string[]>> {
  const field = fc.constantFrom(...Object.keys(vocabulary)).chain((name) =>
    fc.record({
      name: fc.constantFrom(name, name, `not${name.charAt(0).toUpperCase()}${name.slice(1)}`),
      values: fc.uniqueArray(fc.constantFrom(...(vocabulary[name] ?? [])), { minLength: 1, maxLength: 2 }),
    }),
  )
  return fc.array(field, { minLength: 1, maxLength: 2 }).map((list) => Object.fromEntries(list.map(({ name, values }) => [name, values])))
}

const IDENTITIES = ['td1/ns/shop/sa/web', 'cluster.local/ns/bank/sa/api', 'td3/ns/shop/sa/web', '*/sa/api', 'td2/*', '*']
const ADDRESSES = ['10.0.0.0/8', '192.0.2.7']
const TOKENS = ['issuer/ann', 'issuer/*', '*/bob', '*']
const NAMESPACES = ['shop', 'b*', '*nk']

const ANY_SOURCE = { trustDomains: ['td1', 'td3', 'td*'], requestPrincipals: TOKENS, ipBlocks: ADDRESSES, remoteIpBlocks: ADDRESSES }

// Accounts leave no room for other names of the same identity.
const source = fc.oneof(
  fields({ ...ANY_SOURCE, principals: IDENTITIES, namespaces: NAMESPACES }),
  fields({ ...ANY_SOURCE, serviceAccounts: ['web', 'bank/api'] }),
)

const operation = fields({
  hosts: ['a.example.com', '*.example.com', 'b.*', '*'],
  methods: ['GET', 'P*', '*'],
  paths: ['/a', '/a/*', '*/z', '/u/{*}/k', '/u/{**}', '*'],
  ports: ['8080', '9090'],
})

const when = fc
  .constantFrom<readonly [string, readonly string[]]>(
    ['source.ip', ADDRESSES],
    ['remote.ip', ADDRESSES],
    ['source.namespace', NAMESPACES],
    ['source.principal', IDENTITIES],
    ['source.serviceAccount', ['web', 'bank/api']],
    ['request.headers[x-team]', ['red', 'b*', '*n', '*']],
    ['request.auth.principal', TOKENS],
    ['request.auth.audiences', ['shop', 'ba*']],
    ['request.auth.claims[groups]', ['staff', 'ad*']],
    ['destination.ip', ADDRESSES],
    ['destination.port', ['8080', '9090']],
    ['connection.sni', ['a.example.com', '*.org', '*']],
  )
  .chain(([key, values]) =>
    fc
      .record({ values: some(...values), notValues: some(...values) })
      .filter((lists) => lists.values !== undefined || lists.notValues !== undefined)
      .map((lists) => ({ key, ...(lists.values && { values: lists.values }), ...(lists.notValues && { notValues: lists.notValues }) })),
  )

const listed = <T>(item: fc.Arbitrary<T>) => fc.option(fc.array(item, { minLength: 1, maxLength: 2 }), { nil: undefined })

const rule = fc
  .record({
    from: listed(source.map((one) => ({ source: one }))),
    to: listed(operation.map((one) => ({ operation: one }))),
    when: listed(when),
  })
  .map(({ from, to, when: conditions }) => ({ ...(from && { from }), ...(to && { to }), ...(conditions && { when: conditions }) }))

const policy: fc.Arbitrary<AuthorizationPolicySpec & { readonly namespace: string }> = fc.record({
  action: fc.constantFrom<'ALLOW' | 'DENY'>('ALLOW', 'DENY'),
  rules: fc.array(rule, { minLength: 1, maxLength: 2 }),
  namespace: fc.constantFrom('shop', 'istio-system'),
})

const address = fc.constantFrom('10.1.2.3', '192.0.2.7', '198.51.100.1')

const approach: fc.Arbitrary<Approach> = fc
  .record({
    caller: fc.option(
      fc.record({
        domain: fc.constantFrom('td1', 'td2', 'td3'),
        namespace: fc.constantFrom('shop', 'bank'),
        account: fc.constantFrom('web', 'api'),
      }),
      { nil: undefined, freq: 4 },
    ),
    address,
    clientAddress: address,
    destination: fc.record({ address, port: fc.constantFrom(8080, 9090, 7070) }),
    serverName: fc.constantFrom('a.example.com', 'b.example.org'),
    request: fc.option(
      fc.record({
        host: fc.constantFrom('a.example.com', 'B.Example.com', 'b.org'),
        method: fc.constantFrom('GET', 'POST', 'DELETE'),
        path: fc.constantFrom('/a', '/a/b', '/b/z', '/u/1/k', '/u/1/2'),
        team: fc.constantFrom(undefined, 'red', 'blue', 'green'),
        token: fc.option(
          fc.record({
            issuer: fc.constantFrom('issuer', 'other'),
            subject: fc.constantFrom('ann', 'bob'),
            audience: fc.constantFrom('shop', 'bank'),
            groups: fc.constantFrom<string | readonly string[] | undefined>(undefined, 'staff', ['guests', 'admins']),
          }),
          { nil: undefined, freq: 4 },
        ),
      }),
      { nil: undefined, freq: 4 },
    ),
  })
  // Without a certificate there was no handshake that could name a server.
  .map((made) => (made.caller ? made : { ...made, serverName: '' }))

/** The rules of the workload's filters, in order, for requests and for other bytes. */
function rulesOf(policies: readonly (AuthorizationPolicySpec & { readonly namespace: string })[]) {
  const mesh = newMesh()
  const [trustDomain, ...trustDomainAliases] = MESH_DOMAINS
  mesh.setMeshConfig({ trustDomain, trustDomainAliases })
  mesh.apply(
    policies.map(({ namespace, ...spec }, i) => ({
      operation: 'set',
      object: { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata: { namespace, name: `policy-${i}` }, spec },
    })),
  )
  expect(mesh.diagnostics().filter(({ severity }) => severity === 'Error')).toEqual([])
  const bytes = resourcesOf(openProxy(mesh, WORKLOAD).resources(TYPE_URL.LDS)).get('virtualInbound')
  const { filterChains } = fromBinary(ListenerSchema, bytes ?? new Uint8Array())
  const filtersOf = (name: string) =>
    (filterChains.find((chain) => chain.name === name)?.filters ?? []).flatMap(({ configType }) =>
      configType.case === 'typedConfig' ? [configType.value] : [],
    )
  const manager = filtersOf('virtualInbound-catchall-http').flatMap((filter) => anyUnpack(filter, HttpConnectionManagerSchema) ?? [])[0]
  return {
    http: (manager?.httpFilters ?? []).flatMap(({ configType }) =>
      configType.case === 'typedConfig' ? (anyUnpack(configType.value, HttpRbacSchema)?.rules ?? []) : [],
    ),
    bytes: filtersOf('virtualInbound').flatMap((filter) => anyUnpack(filter, NetworkRbacSchema)?.rules ?? []),
  }
}

const decided = (rules: readonly RBAC[], caller: Approach): boolean =>
  rules.every((each) => decideRbac(each, subjectOf(caller)).allowed === true)

function subjectOf({ caller, request, ...approached }: Approach): RbacSubject {
  const { issuer: iss, subject: sub, audience: aud, groups } = request?.token ?? {}
  const payload = { iss, sub, aud, ...(groups !== undefined && { groups }) }
  return {
    call: {
      mode: 'inbound',
      destination: approached.destination,
      sourceAddress: approached.address,
      clientAddress: approached.clientAddress,
      tls: caller ? 'mtls' : 'plaintext',
      sni: approached.serverName,
      alpn: [],
      ...(caller && { principal: `spiffe://${caller.domain}/ns/${caller.namespace}/sa/${caller.account}` }),
    },
    request: request && {
      method: request.method,
      scheme: 'http',
      authority: request.host,
      path: request.path,
      headers: new Map(request.team === undefined ? [] : [['x-team', [request.team]]]),
    },
    notes: new Map<string, unknown>(request?.token ? [['envoy.filters.http.jwt_authn', { payload }]] : []),
  }
}
