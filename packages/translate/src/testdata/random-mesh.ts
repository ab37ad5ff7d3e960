/** Arbitrary settings of a mesh, and meshes with them. */
import type { KubeObject } from '@lateen/api'
import { newMesh } from '@lateen/testkit'
import { TLS_POLICIES } from '@lateen/base'
import fc from 'fast-check'
import type { MeshState } from '../index.ts'

/** What a mesh is told besides its objects. */
export interface Settings {
  readonly config: Readonly<Record<string, unknown>>
  readonly switches: NonNullable<Parameters<typeof newMesh>[0]>
}

/** Authorizers that policies name, on a service that comes and goes. */
const PROVIDERS = {
  extensionProviders: [
    { name: 'by-grpc', envoyExtAuthzGrpc: { service: 'shop/cart.shop.svc.cluster.local', port: 9090 } },
    { name: 'by-http', envoyExtAuthzHttp: { service: 'till.pay.svc.cluster.local', port: 80, headersToUpstreamOnAllow: ['x-user'] } },
  ],
}

export const USUAL: Settings = { config: PROVIDERS, switches: {} }

const one = (...values: readonly Readonly<Record<string, unknown>>[]) => fc.constantFrom({}, ...values)

/** Usual settings with some that are not. */
export const anySettings: fc.Arbitrary<Settings> = fc
  .record({
    parts: fc.tuple(
      one(
        { outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } },
        { outboundTrafficPolicy: { mode: 'ALLOW_ANY_DYNAMIC_DNS' } },
        { outboundTrafficPolicy: { mode: 'ALLOW_ANY_DYNAMIC_DNS', tls: { mode: 'SIMPLE', insecureSkipVerify: true } } },
      ),
      one({ inboundTrafficPolicy: { mode: 'LOCALHOST' } }),
      one({ h2UpgradePolicy: 'UPGRADE' }, { enableAutoMtls: false }),
      one({ defaultServiceExportTo: ['.'] }, { defaultVirtualServiceExportTo: ['.'], defaultDestinationRuleExportTo: ['.'] }),
      one({ proxyListenPort: 9090, proxyInboundListenPort: 8080 }, { proxyHttpPort: 80 }),
      one({ ingressControllerMode: 'DEFAULT', ingressSelector: 'gate' }, { ingressControllerMode: 'OFF' }),
      one({ accessLogFile: '/dev/stdout', accessLogEncoding: 'JSON' }, { pathNormalization: { normalization: 'DECODE_AND_MERGE_SLASHES' } }),
      one({ localityLbSetting: { distribute: [{ from: '*', to: { 'west/*': 10, 'east/*': 90 } }] } }, { tcpKeepalive: { probes: 3, time: '9s' } }),
      one({
        defaultConfig: {
          proxyHeaders: { preserveHttp1HeaderCase: true, requestId: { disabled: true }, xForwardedHost: { enabled: true } },
          gatewayTopology: { numTrustedProxies: 2, proxyProtocol: {} },
        },
      }),
      one({ outboundClusterStatName: '%SERVICE%_%SUBSET_NAME%', inboundClusterStatName: '%SERVICE_FQDN%' }, { trustDomainAliases: ['old'] }),
      one({ meshMTLS: { minProtocolVersion: 'TLSV1_3' }, tlsDefaults: { ecdhCurves: ['P-256'], minProtocolVersion: 'TLSV1_3' } }),
    ),
    switches: fc.record(
      {
        http3: fc.boolean(),
        http10: fc.boolean(),
        dualStack: fc.boolean(),
        sendsUnhealthy: fc.boolean(),
        weighsLocalities: fc.boolean(),
        usesRemoteAddress: fc.boolean(),
        dottedHosts: fc.boolean(),
        mergesIngress: fc.boolean(),
        allocatesAddresses: fc.boolean(),
        gatewaysOfOwnNamespace: fc.boolean(),
        severalAuthorizers: fc.boolean(),
        everySpelling: fc.boolean(),
        tlsPolicy: fc.constantFrom(undefined, ...TLS_POLICIES),
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ parts, switches }) => ({ config: Object.assign({}, PROVIDERS, ...parts), switches }))

/** A new mesh with these objects. */
export function meshWith(objects: Iterable<KubeObject>, { config, switches }: Settings = USUAL): MeshState {
  const mesh = newMesh(switches)
  mesh.setMeshConfig(config)
  mesh.apply([...objects].map((o) => ({ operation: 'set', object: o })))
  return mesh
}
