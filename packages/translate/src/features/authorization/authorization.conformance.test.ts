/**
 * Filters compared with those that Istio makes, by what they decide: for each case, requests that its rules speak of and near misses
 * are put through the expected and the generated filters, when the cases are at hand.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { create, fromBinary, fromJson, toJson } from '@bufbuild/protobuf'
import { type Any, anyIs, anyUnpack } from '@bufbuild/protobuf/wkt'
import type { AuthorizationPolicySpec, AuthorizationRule, KubeObject } from '@lateen/api'
import { TYPE_URL } from '@lateen/envoy'
import { type Filter, FilterSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_components_pb.js'
import { ListenerSchema as WholeListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import {
  RBAC_Action as Action,
  PermissionSchema,
  type Policy,
  PolicySchema,
  PrincipalSchema,
  type RBAC,
  RBACSchema,
} from '@lateen/envoy/gen/envoy/config/rbac/v3/rbac_pb.js'
import { ExtAuthzSchema as HttpExtAuthzSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import { RBACSchema as HttpRbacSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import { ExtAuthzSchema as NetworkExtAuthzSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.js'
import {
  HttpConnectionManagerSchema,
  type HttpFilter,
  HttpFilterSchema,
} from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { RBACSchema as NetworkRbacSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import { envoyRegistry } from '@lateen/envoy/registry'
import { decideRbac, type RbacSubject } from '@lateen/simulate'
import { openProxy, readCase, resourcesOf } from '@lateen/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { createMesh } from '../../index.ts'

const CASES = new URL('../../../../../../shared/conformance/authz/', import.meta.url)
const names = existsSync(CASES) ? readdirSync(CASES).filter((name) => existsSync(new URL(`${name}/case.json`, CASES))) : []

interface Case {
  readonly type: 'http' | 'tcp'
  readonly proxy: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> }
  readonly trustDomains: { readonly trustDomain: string; readonly trustDomainAliases: readonly string[] }
  readonly meshConfig: string | null
  readonly knownServices: readonly string[]
  readonly expected: readonly string[]
}

describe.skipIf(names.length === 0)('what Istio decides', () => {
  test.each(names)('%s', (name) => {
    const read = (file: string) => readFileSync(new URL(`${name}/${file}`, CASES), 'utf8')
    const { type, expected, ...header } = JSON.parse(read('case.json')) as Case
    const { objects } = readCase(read('input.yaml'))
    const mesh = header.meshConfig ? parse(read(header.meshConfig)) : {}
    const wanted = expected.map((file) => expectedFilter(parse(read(file)), type))
    const made = generated({ type, expected, ...header }, objects, mesh)
    fc.assert(
      fc.property(requests(objects, type), (subject) => {
        expect(outcome(made, subject)).toEqual(outcome(wanted, subject))
      }),
      { numRuns: 400, seed: 7 },
    )
  })
})

const registry = envoyRegistry()

function expectedFilter(document: unknown, type: Case['type']): Any {
  const json = document as Parameters<typeof fromJson>[1]
  const filter = type === 'http' ? fromJson(HttpFilterSchema, json, { registry }) : fromJson(FilterSchema, json, { registry })
  return configOf(filter)
}

function configOf(filter: Filter | HttpFilter): Any {
  if (filter.configType.case !== 'typedConfig') throw new Error(`filter ${filter.name} has no settings of its own`)
  return filter.configType.value
}

/** The filters of policies in the chain that takes connections to ports of no service. */
function generated(header: Case, policies: readonly KubeObject[], config: unknown): Any[] {
  const { trustDomain, trustDomainAliases } = header.trustDomains
  const mesh = createMesh({ clusterId: 'Kubernetes', domain: 'cluster.local', rootNamespace: 'istio-system', trustDomain })
  mesh.setMeshConfig({ ...(config as object), trustDomainAliases })
  mesh.apply([...header.knownServices.map(serviceNamed), ...policies].map((object) => ({ operation: 'set', object })))
  expect(mesh.diagnostics().filter(({ severity }) => severity === 'Error')).toEqual([])
  const session = openProxy(mesh, header.proxy)
  const bytes = resourcesOf(session.resources(TYPE_URL.LDS)).get('virtualInbound')
  const { filterChains } = fromBinary(WholeListenerSchema, bytes ?? new Uint8Array())
  const chain = filterChains.find(({ name }) => name === (header.type === 'http' ? 'virtualInbound-catchall-http' : 'virtualInbound'))
  const filters = (chain?.filters ?? []).map(configOf)
  if (header.type === 'tcp') return filters.filter(isOfPolicies)
  const manager = filters.map((filter) => anyUnpack(filter, HttpConnectionManagerSchema)).find((found) => found !== undefined)
  return (manager?.httpFilters ?? []).map(configOf).filter(isOfPolicies)
}

const isOfPolicies = (any: Any): boolean =>
  [HttpRbacSchema, NetworkRbacSchema, HttpExtAuthzSchema, NetworkExtAuthzSchema].some(({ typeName }) => anyIs(any, typeName))

function serviceNamed(text: string): KubeObject {
  const [namespace = '', host = ''] = text.split('/')
  const name = host.split('.')[0] ?? ''
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name },
    spec: { clusterIP: '10.96.0.9', ports: [{ name: 'grpc', port: 9000 }] },
  }
}

/** What becomes of a request: every decision with the policy behind it, every shadow result, whom it is checked with. */
function outcome(filters: readonly Any[], subject: RbacSubject): unknown[] {
  const events: unknown[] = []
  let asked: string | undefined
  for (const any of filters) {
    const rbac = anyUnpack(any, HttpRbacSchema) ?? anyUnpack(any, NetworkRbacSchema)
    if (rbac) {
      if (rbac.shadowRules) {
        const { allowed, policy } = decideRbac(rbac.shadowRules, subject)
        events.push({ shadow: rbac.shadowRulesStatPrefix, allowed, policy })
        if (rbac.shadowRulesStatPrefix === 'istio_ext_authz_') asked = policy
      }
      if (rbac.rules) events.push(decideRbac(rbac.rules, subject))
      for (const rules of [rbac.rules, rbac.shadowRules]) if (rules) events.push(conditionsOf(rules, subject))
      continue
    }
    const authorizer = anyUnpack(any, HttpExtAuthzSchema) ?? anyUnpack(any, NetworkExtAuthzSchema)
    const pattern = authorizer?.filterEnabledMetadata?.value?.matchPattern
    const match = pattern?.case === 'stringMatch' ? pattern.value.matchPattern : undefined
    if (match?.case === 'prefix' && asked?.startsWith(match.value)) {
      events.push({ asks: settingsOf(any) })
    }
  }
  return events
}

/** Which conditions of each policy hold, one by one: a policy that decides first must not hide what others ask. */
function conditionsOf(rules: RBAC, subject: RbacSubject): unknown {
  const alone = (policy: Pick<Policy, 'permissions' | 'principals'>) =>
    decideRbac(create(RBACSchema, { action: Action.ALLOW, policies: { one: create(PolicySchema, policy) } }), subject).allowed
  const anything = create(PermissionSchema, { rule: { case: 'any', value: true } })
  const anybody = create(PrincipalSchema, { identifier: { case: 'any', value: true } })
  const names = Object.keys(rules.policies).sort()
  return names.map((name) => {
    const { permissions = [], principals = [] } = rules.policies[name] ?? {}
    return {
      name,
      permissions: permissions.map(({ rule }) =>
        rule.case === 'andRules' ? rule.value.rules.map((each) => alone({ permissions: [each], principals: [anybody] })).sort() : rule.case,
      ),
      principals: principals.map(({ identifier }) =>
        identifier.case === 'andIds'
          ? identifier.value.ids.map((each) => alone({ permissions: [anything], principals: [each] })).sort()
          : identifier.case,
      ),
    }
  })
}

/** How an authorizer is asked; not when, which has been looked at. */
function settingsOf(any: Any): unknown {
  const http = anyUnpack(any, HttpExtAuthzSchema)
  const network = anyUnpack(any, NetworkExtAuthzSchema)
  if (http) return toJson(HttpExtAuthzSchema, { ...http, filterEnabledMetadata: undefined }, { registry })
  return network && toJson(NetworkExtAuthzSchema, { ...network, filterEnabledMetadata: undefined }, { registry })
}

/** Requests that one rule of the policies speaks of, with some fields taken from elsewhere. */
function requests(objects: readonly KubeObject[], type: Case['type']): fc.Arbitrary<RbacSubject> {
  const rules = objects.flatMap((object) => (object.spec as AuthorizationPolicySpec).rules ?? [])
  const aboutRule = rules.length > 0 ? fc.constantFrom(...rules) : fc.constant<AuthorizationRule>({})
  const fields = aboutRule.chain((rule) => {
    const source = (rule.from ?? []).map((from) => from.source ?? {})
    const operation = (rule.to ?? []).map((to) => to.operation ?? {})
    const when = (key: string) =>
      (rule.when ?? []).filter((condition) => condition.key === key).flatMap(({ values = [], notValues = [] }) => [...values, ...notValues])
    const from = (names: readonly (keyof (typeof source)[number])[], key = '') =>
      value([...source.flatMap((entry) => names.flatMap((field) => entry[field] ?? [])), ...when(key)])
    const to = (names: readonly (keyof (typeof operation)[number])[], key = '') =>
      value([...operation.flatMap((entry) => names.flatMap((field) => entry[field] ?? [])), ...when(key)])
    return fc.record({
      identity: fc.oneof(
        from(['principals', 'notPrincipals'], 'source.principal'),
        from(['trustDomains', 'notTrustDomains']).map((domain) => `${domain}/ns/foo/sa/bar`),
        fc
          .tuple(
            fc.constantFrom('td1', 'cluster.local', 'foobar', 'bad-one', 'other'),
            from(['namespaces', 'notNamespaces'], 'source.namespace'),
          )
          .map(([domain, namespace]) => `${domain}/ns/${namespace}/sa/foo`),
        from(['principals']).map((identity) => identity.replace(/^[^/]*/, 'td1')),
        fc.constant(''),
      ),
      token: from(['requestPrincipals', 'notRequestPrincipals'], 'request.auth.principal'),
      address: from(['ipBlocks', 'notIpBlocks', 'remoteIpBlocks', 'notRemoteIpBlocks'], 'source.ip').map(addressIn),
      destination: value(when('destination.ip')).map(addressIn),
      host: to(['hosts', 'notHosts']),
      method: to(['methods', 'notMethods']),
      path: to(['paths', 'notPaths']),
      port: to(['ports', 'notPorts'], 'destination.port'),
      header: value(['request.headers[X-header]', 'request.headers[X-abc]'].flatMap(when)),
      sni: value(when('connection.sni')),
      note: value(when('experimental.envoy.filters.a.b[c]')),
    })
  })
  return fields.map((made): RbacSubject => {
    const slash = made.token.lastIndexOf('/')
    const payload = {
      iss: slash < 0 ? made.token : made.token.slice(0, slash),
      sub: slash < 0 ? '' : made.token.slice(slash + 1),
      azp: 'presenter',
    }
    return {
      call: {
        mode: 'inbound',
        destination: { address: made.destination, port: Number(made.port) || 8080 },
        sourceAddress: made.address,
        tls: made.identity === '' ? 'plaintext' : 'mtls',
        sni: made.sni,
        alpn: [],
        ...(made.identity !== '' && { principal: `spiffe://${made.identity}` }),
      },
      request:
        type === 'tcp'
          ? undefined
          : {
              method: made.method,
              scheme: 'http',
              authority: made.host,
              path: made.path,
              headers: new Map([
                ['x-header', [made.header]],
                ['x-abc', [made.header]],
              ]),
            },
      notes: new Map<string, unknown>([
        ['envoy.filters.http.jwt_authn', { payload }],
        ['envoy.filters.a.b', { c: made.note }],
      ]),
    }
  })
}

/** One of the values that a rule names, patterns filled; sometimes another. */
function value(values: readonly string[]): fc.Arbitrary<string> {
  const named = values.map((text) => text.replace('*', 'some'))
  const other = fc.constantFrom('other', 'header-prefix-x', 'GET')
  return named.length > 0 ? fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...named) }, { weight: 1, arbitrary: other }) : other
}

const addressIn = (range: string): string => (/^\d/.test(range) ? (range.split('/')[0] ?? range) : '198.51.100.7')
