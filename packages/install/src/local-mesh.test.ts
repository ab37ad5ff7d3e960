import { type KubeObject, objectKey } from '@lateen/api'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { localMesh } from './local-mesh.ts'

const find = (objects: readonly KubeObject[], kind: string, name: string): Record<string, unknown> => {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name)
  if (!found) throw new Error(`${kind} ${name} is missing`)
  return { ...found }
}
const data = (object: Record<string, unknown>, key: string): string => {
  const entries = object['data']
  const value = typeof entries === 'object' && entries !== null ? Object.entries(entries).find(([name]) => name === key)?.[1] : undefined
  return typeof value === 'string' ? value : ''
}

describe('a local mesh', () => {
  const mesh = localMesh()

  test('names every object once, and what others refer to comes first', () => {
    const keys = mesh.map((object) => `${object.kind} ${objectKey(object)}`)
    expect(new Set(keys).size).toBe(keys.length)
    const order = ['Namespace', 'ServiceAccount', 'ClusterRole', 'ConfigMap', 'Deployment']
    const places = order.map((kind) => mesh.findIndex((object) => object.kind === kind))
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    const accounts = new Set(mesh.filter((object) => object.kind === 'ServiceAccount').map((object) => object.metadata.name))
    expect([...accounts].sort()).toEqual(['istio-ingressgateway-service-account', 'istio-reader-service-account', 'istiod'])
  })

  test('has the ports of istiod and of the gateway', () => {
    const ports = (name: string) => find(mesh, 'Service', name)['spec']
    expect(ports('istiod')).toMatchObject({
      ports: [{ port: 15010 }, { port: 15012 }, { port: 443, targetPort: 15017 }, { port: 15014 }],
      selector: { app: 'istiod', istio: 'pilot' },
    })
    expect(ports('istio-ingressgateway')).toMatchObject({
      type: 'LoadBalancer',
      ports: [{ port: 15021 }, { port: 80, targetPort: 8080 }, { port: 443, targetPort: 8443 }],
    })
  })

  test('runs our images, the gateway filled in by the injector', () => {
    expect(find(mesh, 'Deployment', 'istiod')['spec']).toMatchObject({
      template: { spec: { containers: [{ name: 'discovery', image: 'lateen/pilot:1.30.3' }] } },
    })
    expect(find(mesh, 'Deployment', 'istio-ingressgateway')['spec']).toMatchObject({
      template: {
        metadata: {
          labels: { 'sidecar.istio.io/inject': 'true', istio: 'ingressgateway' },
          annotations: { 'inject.istio.io/templates': 'gateway' },
        },
        spec: {
          containers: [
            { name: 'istio-proxy', image: 'auto', ports: [{ containerPort: 15021 }, { containerPort: 8080 }, { containerPort: 8443 }] },
          ],
        },
      },
    })
  })

  test('has settings that the injector and other tools can read', () => {
    const injector = find(mesh, 'ConfigMap', 'istio-sidecar-injector')
    expect(parse(data(injector, 'config'))).toMatchObject({
      policy: 'enabled',
      defaultTemplates: ['sidecar'],
      templates: { sidecar: '', gateway: '' },
    })
    expect(JSON.parse(data(injector, 'values'))).toMatchObject({
      global: { hub: 'lateen', proxy: { image: 'proxyv2', statusPort: 15020 } },
    })
    expect(parse(data(find(mesh, 'ConfigMap', 'istio'), 'mesh'))).toMatchObject({
      accessLogFile: '/dev/stdout',
      defaultConfig: { discoveryAddress: 'istiod.istio-system.svc:15012' },
      trustDomain: 'cluster.local',
    })
  })
})

describe('choices', () => {
  test('values reach the mesh configuration, the injector and istiod', () => {
    const values = {
      meshConfig: { trustDomain: 'shop.example', defaultConfig: { concurrency: 1 } },
      global: { proxy: { logLevel: 'debug' }, multiCluster: { clusterName: 'east' } },
      pilot: { env: { PILOT_ENABLE_ANALYSIS: 'true', EXTRA: 1 } },
      sidecarInjectorWebhook: { templates: { mine: 'spec: {}' } },
    }
    const mesh = localMesh({ values, hub: 'registry.example/mesh', tag: 'v2' })
    expect(parse(data(find(mesh, 'ConfigMap', 'istio'), 'mesh'))).toMatchObject({
      trustDomain: 'shop.example',
      defaultConfig: { concurrency: 1, discoveryAddress: 'istiod.istio-system.svc:15012' },
    })
    const injector = find(mesh, 'ConfigMap', 'istio-sidecar-injector')
    expect(parse(data(injector, 'config'))).toMatchObject({ templates: { sidecar: '', mine: 'spec: {}' } })
    expect(JSON.parse(data(injector, 'values'))).toMatchObject({ global: { proxy: { logLevel: 'debug', image: 'proxyv2' } } })
    const env = JSON.stringify(find(mesh, 'Deployment', 'istiod'))
    expect(env).toContain('{"name":"PILOT_ENABLE_ANALYSIS","value":"true"},{"name":"EXTRA","value":"1"}')
    expect(env).toContain('{"name":"CLUSTER_ID","value":"east"}')
    expect(env).toContain('"image":"registry.example/mesh/pilot:v2"')
  })

  test('a revision has names and webhooks of its own', () => {
    const mesh = localMesh({ revision: 'canary', gateway: false })
    expect(mesh.map((object) => object.metadata.name)).toEqual(
      expect.arrayContaining(['istiod-canary', 'istio-canary', 'istio-sidecar-injector-canary', 'istio-validator-canary-istio-system']),
    )
    const webhooks = find(mesh, 'MutatingWebhookConfiguration', 'istio-sidecar-injector-canary')['webhooks']
    expect(webhooks).toMatchObject([{ name: 'rev.namespace.sidecar-injector.istio.io' }, { name: 'rev.object.sidecar-injector.istio.io' }])
    expect(JSON.stringify(webhooks)).toContain('"name":"istiod-canary"')
    expect(data(find(mesh, 'ConfigMap', 'istio-canary'), 'mesh')).toContain('istiod-canary.istio-system.svc:15012')
    expect(mesh.some((object) => object.metadata.name === 'istio-ingressgateway')).toBe(false)
  })

  test('a CA that is known goes into the webhooks', () => {
    const pem = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n'
    const mesh = localMesh({ caBundlePem: pem })
    expect(JSON.stringify(find(mesh, 'ValidatingWebhookConfiguration', 'istio-validator-istio-system'))).toContain(
      `"caBundle":"${btoa(pem)}"`,
    )
    expect(JSON.stringify(find(localMesh(), 'ValidatingWebhookConfiguration', 'istio-validator-istio-system'))).not.toContain('caBundle')
  })

  test('the gateway has as many replicas and ports as asked for', () => {
    const mesh = localMesh({
      gateway: { replicas: 3, httpPort: 8080, extraPorts: [{ name: 'tcp', port: 31400 }] },
      podDisruptionBudgets: true,
    })
    expect(find(mesh, 'Deployment', 'istio-ingressgateway')['spec']).toMatchObject({ replicas: 3 })
    expect(find(mesh, 'Service', 'istio-ingressgateway')['spec']).toMatchObject({
      ports: [{ port: 15021 }, { port: 8080, targetPort: 8080 }, { port: 443 }, { name: 'tcp', port: 31400, targetPort: 31400 }],
    })
    expect(mesh.filter((object) => object.kind === 'PodDisruptionBudget')).toHaveLength(2)
  })
})
