import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { MessageNode, Node } from '../schema/node.ts'
import { defaultMeshConfig } from './defaults.ts'
import { MeshConfig } from './mesh-config.ts'
import { MeshNetworks } from './mesh-networks.ts'
import { parseMeshConfig, parseMeshNetworks, parseProxyConfig } from './parse.ts'

const FACTS = new URL('../../../../../shared/facts/', import.meta.url)
const fact = (name: string): unknown => JSON.parse(readFileSync(new URL(name, FACTS), 'utf8'))

interface FieldFact {
  name: string
  json?: string
  type: string
  label?: string
}

describe.skipIf(!existsSync(FACTS))('compared with the facts about Istio', () => {
  test('the defaults are the same', () => {
    expect(defaultMeshConfig()).toEqual(fact('mesh-config-defaults.json'))
  })

  test('all fields, their types and enum values are the same', () => {
    const facts = fact('mesh-config-fields.json') as Record<string, FieldFact[] | Record<string, number> | null>
    const wrong: string[] = []
    compareMessage(MeshConfig.node, 'istio.mesh.v1alpha1.MeshConfig', facts, wrong)
    compareMessage(MeshNetworks.node, 'istio.mesh.v1alpha1.MeshNetworks', facts, wrong)
    expect(wrong).toEqual([])
  })
})

const KINDS: Readonly<Record<string, string>> = { string: 'text', bool: 'flag', int32: 'number', uint32: 'number', double: 'number' }
const WELL_KNOWN: Readonly<Record<string, string>> = {
  Duration: 'text',
  BoolValue: 'flag',
  Int32Value: 'number',
  Int64Value: 'number',
  Struct: 'free',
}

function compareMessage(node: MessageNode, type: string, facts: Record<string, unknown>, wrong: string[]): void {
  const fields = (facts[type] ?? []) as FieldFact[]
  const names = fields.map(({ name, json }) => json ?? name)
  const mine = Object.keys(node.fields)
  for (const name of names) if (!mine.includes(name)) wrong.push(`${type}.${name} is missing`)
  for (const name of mine) if (!names.includes(name)) wrong.push(`${type}.${name} does not exist`)
  for (const field of fields) {
    const own = node.fields[field.json ?? field.name]?.node
    if (own) compareField(own, field, `${type}.${field.name}`, facts, wrong)
  }
}

function compareField(node: Node, { type, label }: FieldFact, path: string, facts: Record<string, unknown>, wrong: string[]): void {
  const value = /^map<\w+,(.+)>$/.exec(type)?.[1]
  const wanted = label === 'repeated' ? 'list' : value ? 'map' : undefined
  const inner = node.kind === 'list' ? node.items : node.kind === 'map' ? node.values : node
  if (wanted && node.kind !== wanted) wrong.push(`${path} is no ${wanted}`)
  const of = value ?? type
  const numbers = facts[`enum ${of}`] as Record<string, number> | undefined
  if (numbers) {
    const own = inner.kind === 'enum' ? Object.fromEntries(inner.values.map((name, i) => [name, inner.numbers?.[i] ?? i])) : inner.kind
    expect(own, path).toEqual(numbers)
  } else if (of in facts) {
    if (inner.kind === 'message') compareMessage(inner, of, facts, wrong)
    else wrong.push(`${path} is no message`)
  } else if (inner.kind !== (KINDS[of] ?? WELL_KNOWN[of.replace('google.protobuf.', '')])) wrong.push(`${path} is ${inner.kind}, not ${of}`)
}

test('an empty configuration is the default one', () => {
  for (const nothing of ['', undefined, null, {}, '# nothing\n'])
    expect(parseMeshConfig(nothing)).toEqual({ config: defaultMeshConfig(), diagnostics: [] })
})

test('settings are laid over the defaults; providers are joined by name, proxy metadata by key', () => {
  const { config, diagnostics } = parseMeshConfig(`
accessLogFile: /dev/stdout
outboundTrafficPolicy: {mode: REGISTRY_ONLY}
extensionProviders:
- {name: envoy, envoyFileAccessLog: {path: /log}}
- {name: otel, opentelemetry: {service: otel.obs, port: 4317}}
defaultConfig:
  holdApplicationUntilProxyStarts: true
  proxyMetadata: {ISTIO_META_DNS_CAPTURE: "true"}
  tracing: {sampling: 10}
`)
  expect(diagnostics).toEqual([])
  expect(config).toMatchObject({
    accessLogFile: '/dev/stdout',
    outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' },
    rootNamespace: 'istio-system',
  })
  expect(config.extensionProviders?.map(({ name }) => name)).toEqual(['prometheus', 'stackdriver', 'envoy', 'otel'])
  expect(config.defaultConfig).toMatchObject({
    statusPort: 15020,
    holdApplicationUntilProxyStarts: true,
    proxyMetadata: { ISTIO_META_DNS_CAPTURE: 'true' },
  })
})

test('a proxy configuration of a pod is laid over that of the mesh', () => {
  const { config, diagnostics } = parseProxyConfig('{concurrency: 4, tracingServiceName: CANONICAL_NAME_ONLY}', {
    ...defaultMeshConfig().defaultConfig,
    proxyMetadata: { A: '1' },
  })
  expect(diagnostics).toEqual([])
  expect(config).toMatchObject({ concurrency: 4, proxyMetadata: { A: '1' }, tracingServiceName: 'CANONICAL_NAME_ONLY' })
  expect(config.serviceCluster).toBeUndefined()
})

test.each([
  ['acessLogFile: x', 'Error acessLogFile LTN0101'],
  ['accessLogFile: 5', 'Error accessLogFile LTN0103'],
  ['connectTimeout: 2h', 'Error connectTimeout LTN1001'],
  ['trustDomain: a_b', 'Error trustDomain LTN1001'],
  ['proxyListenPort: 0', 'Error proxyListenPort LTN0214'],
  ['defaultConfig: {discoveryAddress: istiod}', 'Error defaultConfig.discoveryAddress LTN1001'],
  ['defaultConfig: {drainDuration: 1500ms}', 'Error defaultConfig.drainDuration LTN1001'],
  ['defaultConfig: {tracing: {zipkin: {address: "$(HOST_IP):9411"}}}', undefined],
  ['defaultConfig: {tracing: {datadog: {}}}', 'Error defaultConfig.tracing.datadog.address LTN1001'],
  ['defaultConfig: {tracing: {lightstep: {address: "collector:8080"}}}', 'Error defaultConfig.tracing.lightstep.accessToken LTN0201'],
  ['defaultConfig: {privateKeyProvider: {}}', 'Error defaultConfig.privateKeyProvider LTN0201'],
  ['defaultConfig: {privateKeyProvider: {qat: {}}}', 'Error defaultConfig.privateKeyProvider.qat.pollDelay LTN0201'],
  ['defaultConfig: {privateKeyProvider: {cryptomb: {pollDelay: 0s}}}', 'Error defaultConfig.privateKeyProvider.cryptomb.pollDelay LTN1001'],
  ['defaultConfig: {privateKeyProvider: {cryptomb: {pollDelay: 10ms}}}', undefined],
  ['tlsDefaults: {ecdhCurves: [P-256, X25519]}', undefined],
  ['tlsDefaults: {ecdhCurves: [secp160]}', 'Warning tlsDefaults.ecdhCurves LTN1003'],
  ['tlsDefaults: {ecdhCurves: [P-256, P-256]}', 'Warning tlsDefaults.ecdhCurves LTN1004'],
  ['meshMTLS: {ecdhCurves: [P-256]}', 'Error meshMTLS.ecdhCurves LTN0328'],
  ['[1]', 'Error  LTN0103'],
  ['a: [', 'Error  LTN0001'],
])('%s', (text, expected) => {
  const { config, diagnostics } = parseMeshConfig(text)
  expect(diagnostics.map(({ severity, path, code }) => `${severity} ${path} ${code}`)).toEqual(expected ? [expected] : [])
  expect(config.rootNamespace).toBe('istio-system')
})

test('networks are read and checked', () => {
  const good = parseMeshNetworks('networks: {n1: {endpoints: [{fromRegistry: c1}], gateways: [{address: 10.0.0.1, port: 15443}]}}')
  expect(good).toEqual({
    networks: { networks: { n1: { endpoints: [{ fromRegistry: 'c1' }], gateways: [{ address: '10.0.0.1', port: 15443 }] } } },
    diagnostics: [],
  })
  const bad = parseMeshNetworks('networks: {n1: {endpoints: [{fromCidr: 10.0.0.0/99}], gateways: [{address: "a_b"}]}}')
  expect(bad.diagnostics.map(({ path, code }) => `${path} ${code}`)).toEqual([
    'networks["n1"].endpoints[0].fromCidr LTN0218',
    'networks["n1"].gateways[0].address LTN1001',
    'networks["n1"].gateways[0].port LTN0214',
  ])
})
