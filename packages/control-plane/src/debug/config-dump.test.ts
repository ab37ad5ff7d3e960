/** Dumps of what a proxy is sent: virtual hosts where they belong, no private keys, and nothing that breaks a dump. */
import { create, toBinary } from '@bufbuild/protobuf'
import { type ResourceSet, TYPE_URL } from '@lateen/envoy'
import { VirtualHostSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { RouteConfigurationSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'
import { SecretSchema } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { expect, test } from 'vitest'
import type { OpenSession } from '../xds/mesh-source.ts'
import { configDump, dumpAsJson } from './config-dump.ts'

function sessionWith(resources: Readonly<Record<string, Readonly<Record<string, Uint8Array>>>>): OpenSession {
  const locality = { region: '', zone: '', subZone: '' }
  return {
    node: { id: 'x', cluster: '', metadata: {}, locality, userAgentName: '', userAgentVersion: '' },
    origins: () => [],
    resources: (typeUrl): ResourceSet => {
      const own = Object.entries(resources[typeUrl] ?? {})
      return { parts: own.length > 0 ? [new Map(own.map(([name, bytes]) => [name, { name, version: `v-${name}`, bytes }]))] : [] }
    },
  }
}

async function partsOf(session: OpenSession, options?: { readonly endpoints?: boolean }): Promise<Map<string, unknown>> {
  const dump = Object(await dumpAsJson(configDump(session, options)))
  const parts: { readonly '@type': string }[] = dump.configs
  return new Map(parts.map((part) => [part['@type'].split('.').at(-1) ?? '', part]))
}

test('virtual hosts that are sent apart stand in their route configuration, which does not wait for them', async () => {
  const host = (name: string) => toBinary(VirtualHostSchema, create(VirtualHostSchema, { name, domains: [name] }))
  const routes = create(RouteConfigurationSchema, {
    name: '80',
    virtualHosts: [{ name: 'rest', domains: ['*'] }],
    vhds: { configSource: {} },
  })
  const parts = await partsOf(
    sessionWith({
      [TYPE_URL.RDS]: { 80: toBinary(RouteConfigurationSchema, routes) },
      [TYPE_URL.VHDS]: { '80/cart': host('cart'), '8080/other': host('other') },
    }),
  )
  expect(parts.get('RoutesConfigDump')).toMatchObject({
    dynamic_route_configs: [{ version_info: 'v-80', route_config: { name: '80', virtual_hosts: [{ name: 'rest' }, { name: 'cart' }] } }],
  })
  expect(JSON.stringify(parts.get('RoutesConfigDump'))).not.toContain('vhds')
})

test('private keys are not shown, certificates are', async () => {
  const inline = (text: string) => ({ specifier: { case: 'inlineBytes' as const, value: Buffer.from(text) } })
  const value = { certificateChain: inline('the chain'), privateKey: inline('the very private key') }
  const secret = create(SecretSchema, { name: 'kubernetes://front', type: { case: 'tlsCertificate', value } })
  const parts = await partsOf(sessionWith({ [TYPE_URL.SDS]: { 'kubernetes://front': toBinary(SecretSchema, secret) } }))
  const text = JSON.stringify(parts.get('SecretsConfigDump'))
  expect(text).toContain(Buffer.from('the chain').toString('base64'))
  expect(text).toContain(Buffer.from('[redacted]').toString('base64'))
  expect(text).not.toContain(Buffer.from('the very private key').toString('base64'))
})

test('endpoints are there when they are asked for', async () => {
  const session = sessionWith({})
  expect([...(await partsOf(session)).keys()]).toEqual([
    'BootstrapConfigDump',
    'ClustersConfigDump',
    'ListenersConfigDump',
    'ScopedRoutesConfigDump',
    'RoutesConfigDump',
    'SecretsConfigDump',
    'EcdsConfigDump',
  ])
  expect((await partsOf(session, { endpoints: true })).has('EndpointsConfigDump')).toBe(true)
})

test('a message that is not known here is told as such, and the other parts stay', async () => {
  const unknown = { [TYPE_URL.ECDS]: { strange: Buffer.from([0x12, 0x7f]) } }
  const parts = await partsOf(sessionWith(unknown))
  expect(parts.get('EcdsConfigDump')).toHaveProperty('unreadable')
  expect(parts.has('ClustersConfigDump')).toBe(true)
})
