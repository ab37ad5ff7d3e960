import { describe, expect, test } from 'vitest'
import { profileSpec, profiles } from './profiles.ts'

const gateways = (name: string): unknown[] => {
  const { components } = profileSpec(name)
  if (typeof components !== 'object' || components === null) return []
  return Object.entries(components).flatMap(([key, value]) =>
    Array.isArray(value) ? value.map(({ name: gateway, enabled }) => [key, gateway, enabled]) : [],
  )
}

describe('profiles', () => {
  test('are those of Istio 1.30, in the order of their names', () => {
    const names = profiles().map(({ name }) => name)
    expect(names).toEqual('ambient default demo empty minimal openshift openshift-ambient preview remote stable'.split(' '))
  })

  test('demo has both gateways, default the one for what comes in, minimal none', () => {
    const [ingress, egress] = [
      ['ingressGateways', 'istio-ingressgateway'],
      ['egressGateways', 'istio-egressgateway'],
    ]
    expect(gateways('demo')).toEqual([
      [...(ingress ?? []), true],
      [...(egress ?? []), true],
    ])
    expect(gateways('default')).toEqual([
      [...(ingress ?? []), true],
      [...(egress ?? []), false],
    ])
    expect(gateways('minimal').every((row) => Array.isArray(row) && row[2] === false)).toBe(true)
  })

  test('lie over default, value by value', () => {
    expect(profileSpec('openshift-ambient')).toMatchObject({
      components: { base: { enabled: true }, ztunnel: { enabled: true, namespace: 'kube-system' } },
      meshConfig: { defaultConfig: { proxyMetadata: { ISTIO_META_ENABLE_HBONE: 'true' } } },
      values: {
        global: { istioNamespace: 'istio-system', platform: 'openshift', variant: 'distroless' },
        pilot: { cni: { provider: 'multus' }, env: { PILOT_ENABLE_AMBIENT: 'true' } },
      },
    })
  })

  test('one that is not there is named, with those that are', () => {
    expect(() => profileSpec('production')).toThrow('there is no profile "production"; there are ambient, default, demo')
    expect(() => profileSpec('__proto__')).toThrow('there is no profile')
  })
})
