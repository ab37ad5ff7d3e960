/** What TypeScript infers from the definitions; checked by the compiler. */
import { expectTypeOf, test } from 'vitest'
import type { DestinationRuleSpec, HTTPRoute, MeshConfig, PeerAuthenticationSpec, StringMatch, VirtualServiceSpec } from './index.ts'

test('fields are read-only, optional unless required, and precise', () => {
  expectTypeOf<VirtualServiceSpec>().toHaveProperty('http')
  expectTypeOf<VirtualServiceSpec['hosts']>().toEqualTypeOf<readonly string[] | undefined>()
  expectTypeOf<DestinationRuleSpec['host']>().toEqualTypeOf<string>()
  expectTypeOf<NonNullable<VirtualServiceSpec['http']>[number]>().toExtend<HTTPRoute>()
  expectTypeOf<NonNullable<NonNullable<HTTPRoute['match']>[number]['headers']>>().toExtend<Readonly<Record<string, StringMatch>>>()
  expectTypeOf<NonNullable<PeerAuthenticationSpec['mtls']>['mode']>().toEqualTypeOf<
    'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT' | undefined
  >()
  expectTypeOf<NonNullable<MeshConfig['outboundTrafficPolicy']>['mode']>().toEqualTypeOf<
    'REGISTRY_ONLY' | 'ALLOW_ANY' | 'ALLOW_ANY_DYNAMIC_DNS' | undefined
  >()
  // @ts-expect-error an enum value that does not exist
  const wrong: PeerAuthenticationSpec = { mtls: { mode: 'strict' } }
  expectTypeOf(wrong).toExtend<object>()
})
