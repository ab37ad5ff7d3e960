import type { KubeObject } from '@lateen/api'
import { describe, expect, test } from 'vitest'
import { DEFAULT_INJECTOR_CONFIG, readMesh } from '../settings/injector-config.ts'
import { DEFAULT_VALUES, mergeValues } from '../settings/values.ts'
import type { GatewayRequest } from './gateway-request.ts'
import { renderGateway } from './render-gateway.ts'

const GATEWAY: KubeObject = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'front', namespace: 'shop', uid: 'u-1', annotations: { 'sidecar.istio.io/logLevel': 'debug' } },
  spec: { gatewayClassName: 'istio' },
}

const request = (more: Partial<GatewayRequest> = {}): GatewayRequest => ({
  gateway: GATEWAY,
  className: 'istio',
  controllerLabel: 'istio.io-gateway-controller',
  name: 'front-istio',
  serviceAccount: 'front-account',
  serviceType: 'LoadBalancer',
  ports: [{ name: 'http', port: 80, appProtocol: 'http' }],
  labels: { tier: 'edge' },
  annotations: { 'example.com/team': 'shop', 'gateway.istio.io/name-override': 'other' },
  clusterId: 'east',
  kubernetesVersion: 133,
  namespaceAnnotations: {},
  proxyConfig: {},
  settings: { config: DEFAULT_INJECTOR_CONFIG, values: DEFAULT_VALUES, mesh: readMesh({}), revision: 'default' },
  overlays: [],
  ...more,
})
const of = (kind: string, more: Partial<GatewayRequest> = {}): KubeObject => {
  const found = renderGateway(request(more)).find((object) => object.kind === kind)
  if (!found) throw new Error(`no ${kind}`)
  return found
}
const container = (more: Partial<GatewayRequest> = {}) => Reflect.get(Object(of('Deployment', more).spec), 'template').spec.containers[0]
const envOf = (more: Partial<GatewayRequest> = {}): Record<string, unknown> =>
  Object.fromEntries(container(more).env.map(({ name, value }: { name: string; value?: string }) => [name, value]))

test("the policy of TLS of the control plane is its proxy's", () => {
  expect(envOf()).not.toHaveProperty('COMPLIANCE_POLICY')
  expect(envOf({ settings: { ...request().settings, tlsPolicy: 'pqc' } })).toMatchObject({ COMPLIANCE_POLICY: 'pqc' })
})

test('a Gateway gets an account, a Deployment and a Service, all of them its own and marked as managed', () => {
  const objects = renderGateway(request())
  expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`)).toEqual([
    'ServiceAccount shop/front-account',
    'Deployment shop/front-istio',
    'Service shop/front-istio',
  ])
  for (const { metadata } of objects) {
    expect(metadata.labels).toEqual({
      tier: 'edge',
      'gateway.networking.k8s.io/gateway-name': 'front',
      'gateway.networking.k8s.io/gateway-class-name': 'istio',
      'gateway.istio.io/managed': 'istio.io-gateway-controller',
    })
    expect(metadata.annotations).toEqual({ 'example.com/team': 'shop' })
    expect(metadata.ownerReferences).toEqual([{ apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', name: 'front', uid: 'u-1' }])
  }
})

test('the Service has the ports and the type that are asked for, and an address that the Gateway names', () => {
  const selector = { 'gateway.networking.k8s.io/gateway-name': 'front' }
  const ports = [{ name: 'http', port: 80, protocol: 'TCP', appProtocol: 'http' }]
  expect(of('Service').spec).toEqual({ ipFamilyPolicy: 'PreferDualStack', ports, selector, type: 'LoadBalancer' })
  const addressed = { ...GATEWAY, spec: { gatewayClassName: 'istio', addresses: [{ value: '192.0.2.1' }] } }
  expect(of('Service', { gateway: addressed }).spec).toMatchObject({ loadBalancerIP: '192.0.2.1' })
  expect(of('Service', { gateway: addressed, serviceType: 'ClusterIP' }).spec).not.toHaveProperty('loadBalancerIP')
})

test('the proxy is a router that knows its workload, its cluster and its log levels', () => {
  expect(container()).toMatchObject({ name: 'istio-proxy', image: 'docker.io/istio/proxyv2:1.30.3' })
  expect(container().args.slice(0, 2)).toEqual(['proxy', 'router'])
  expect(container().args).toContain('debug')
  expect(envOf()).toMatchObject({
    ISTIO_META_WORKLOAD_NAME: 'front-istio',
    ISTIO_META_OWNER: 'kubernetes://apis/apps/v1/namespaces/shop/deployments/front-istio',
    ISTIO_META_CLUSTER_ID: 'east',
    ISTIO_META_MESH_ID: 'cluster.local',
  })
  expect(envOf()).not.toHaveProperty('ISTIO_META_REQUESTED_NETWORK_VIEW')
  expect(envOf({ labels: { 'topology.istio.io/network': 'west' } })).toMatchObject({
    ISTIO_META_NETWORK: 'west',
    ISTIO_META_REQUESTED_NETWORK_VIEW: 'west',
  })
})

test('installation values, ProxyConfigs and reserved ids hold for it', () => {
  const values = mergeValues(DEFAULT_VALUES, {
    global: { imagePullPolicy: 'Always', logAsJson: true, proxy: { lifecycle: { preStop: {} } } },
    gateways: { seccompProfile: { type: 'RuntimeDefault' } },
  })
  const settings = { ...request().settings, values }
  const more = { settings, proxyConfig: { concurrency: 4 }, namespaceAnnotations: { 'openshift.io/sa.scc.uid-range': '1000/10' } }
  expect(container(more)).toMatchObject({
    imagePullPolicy: 'Always',
    lifecycle: { preStop: {} },
    securityContext: { runAsUser: 1009, runAsGroup: 1009, runAsNonRoot: true },
  })
  expect(container(more).args).toContain('--log_as_json')
  expect(envOf(more)['PROXY_CONFIG']).toBe('{"concurrency":4}\n')
  expect(Reflect.get(Object(of('Deployment', more).spec), 'template').spec.securityContext.seccompProfile).toEqual({
    type: 'RuntimeDefault',
  })
})

describe('overlays', () => {
  test('are merged over the objects that their keys name, the later over the earlier', () => {
    const overlays = [
      { deployment: 'spec: {replicas: 2, template: {spec: {containers: [{name: istio-proxy, env: [{name: MORE, value: x}]}]}}}' },
      { deployment: 'spec: {replicas: 3}', service: 'spec: {ports: [{port: 80, nodePort: 30080}]}' },
    ]
    expect(of('Deployment', { overlays }).spec).toMatchObject({ replicas: 3 })
    expect(container({ overlays })).toMatchObject({ image: 'docker.io/istio/proxyv2:1.30.3' })
    expect(envOf({ overlays })).toMatchObject({ MORE: 'x', ISTIO_META_CLUSTER_ID: 'east' })
    const ports = [{ name: 'http', port: 80, protocol: 'TCP', appProtocol: 'http', nodePort: 30080 }]
    expect(of('Service', { overlays }).spec).toMatchObject({ ports })
  })

  test('ask for what is not made otherwise', () => {
    const overlays = [{ horizontalPodAutoscaler: 'spec: {maxReplicas: 5}', podDisruptionBudget: '' }]
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'front-istio' }
    expect(of('HorizontalPodAutoscaler', { overlays }).spec).toEqual({ scaleTargetRef, maxReplicas: 5 })
    expect(of('PodDisruptionBudget', { overlays }).spec).toMatchObject({ selector: { matchLabels: {} } })
  })

  test.each([
    [{ pod: '{}' }, 'its key "pod" is not supported'],
    [{ service: 'metadata: {name: other}' }, 'its key "service" changes metadata.name'],
    [{ deployment: 'kind: StatefulSet' }, 'its key "deployment" makes a apps/v1 StatefulSet'],
    [{ deployment: 'spec: [' }, 'its key "deployment" is no YAML'],
    [{ deployment: 'text' }, 'its key "deployment" must hold a part of an object'],
    [{ deployment: ' '.repeat(300_000) }, 'its key "deployment" is 300000 characters long'],
  ])('that cannot be used are refused by name: %o', (overlay: Record<string, string>, said) => {
    expect(() => renderGateway(request({ overlays: [overlay] }))).toThrow(said)
  })
})

describe('a template of the user’s own', () => {
  const settings = (text: string) => ({
    ...request().settings,
    config: { ...DEFAULT_INJECTOR_CONFIG, templates: { 'kube-gateway': text } },
  })

  test('reads what Istio’s reads, and makes the objects', () => {
    const text = `
apiVersion: v1
kind: Service
metadata:
  name: {{ .DeploymentName | quote }}
  namespace: {{ .Namespace }}
  labels:
    {{- toJsonMap .InfrastructureLabels (strdict .GatewayNameLabel .Name "class" .GatewayClass) | nindent 4 }}
  annotations: {{ toJsonMap (omit .InfrastructureAnnotations "none") }}
  ownerReferences: [{kind: Gateway, name: {{ .Name }}, uid: "{{ .UID }}"}]
spec:
  type: {{ .ServiceType }}
  ports:
  {{- range $key, $val := .Ports }}
  - {name: {{ $val.Name }}, port: {{ $val.Port }}, appProtocol: {{ $val.AppProtocol }}}
  {{- end }}
---
{{- if ge .KubeVersion 128 }}
apiVersion: v1
kind: ServiceAccount
metadata: {name: {{ .ServiceAccount }}, labels: {proxy: "{{ .ProxyImage }}", cluster: {{ .ClusterID }}, rev: {{ .Revision | default "none" }}}}
{{- end }}
---
`
    const [service, account, ...more] = renderGateway(request({ settings: settings(text) }))
    expect(more).toEqual([])
    expect(service).toEqual({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'front-istio',
        namespace: 'shop',
        labels: {
          tier: 'edge',
          'gateway.networking.k8s.io/gateway-name': 'front',
          class: 'istio',
          'gateway.istio.io/managed': 'istio.io-gateway-controller',
        },
        annotations: { 'example.com/team': 'shop' },
        ownerReferences: [{ kind: 'Gateway', name: 'front', uid: 'u-1' }],
      },
      spec: { type: 'LoadBalancer', ports: [{ name: 'http', port: 80, appProtocol: 'http' }] },
    })
    expect(account?.metadata).toMatchObject({
      name: 'front-account',
      labels: { proxy: 'docker.io/istio/proxyv2:1.30.3', cluster: 'east', rev: 'default' },
    })
  })

  test.each([
    ['kind: Service', 'without apiVersion, kind and metadata.name'],
    ['a: [', 'makes no YAML'],
    ['apiVersion: v1\nkind: Pod\nmetadata: {name: x}', 'makes a Pod'],
    ['{{ .Name', 'kube-gateway'],
    ['{}\n---\n'.repeat(30), 'more than 20 objects'],
  ])('that makes no such objects is refused: %s', (text, said) => {
    expect(() => renderGateway(request({ settings: settings(text) }))).toThrow(said)
  })
})
