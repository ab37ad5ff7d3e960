import { describe, expect, test } from 'vitest'
import { type InjectionRequest, type InjectionSettings, injectPod, nativeSidecarsByDefault } from './inject-pod.ts'
import { findContainer, type Pod } from './pod/pod.ts'
import { DEFAULT_INJECTOR_CONFIG, readInjectorConfig, readMesh } from './settings/injector-config.ts'
import { DEFAULT_VALUES, mergeValues } from './settings/values.ts'

const settings: InjectionSettings = {
  config: DEFAULT_INJECTOR_CONFIG,
  values: DEFAULT_VALUES,
  mesh: readMesh({}),
  revision: 'default',
  nativeSidecars: true,
}

const cart = (metadata: object = {}, spec: object = {}): Pod => ({
  metadata: { name: 'cart', labels: { app: 'cart' }, ...metadata },
  spec: { containers: [{ name: 'cart', image: 'shop/cart:1', ports: [{ containerPort: 8080 }] }], ...spec },
})

function inject(pod: Pod, more: Partial<InjectionRequest> = {}) {
  const result = injectPod({ pod, namespace: 'shop', settings, ...more })
  if (result.outcome !== 'injected') throw new Error(JSON.stringify(result))
  return result
}

const variable = (pod: Pod, name: string) => findContainer(pod, 'istio-proxy')?.env?.find((e) => e.name === name)?.value

describe('injection', () => {
  test('adds capture, proxy, volumes and metadata', () => {
    const { pod } = inject(cart())
    expect(pod.spec.initContainers?.map((c) => c.name)).toEqual(['istio-init', 'istio-proxy'])
    expect(pod.spec.containers.map((c) => c.name)).toEqual(['cart'])
    expect(pod.metadata.labels).toMatchObject({ 'security.istio.io/tlsMode': 'istio', 'service.istio.io/canonical-name': 'cart' })
    expect(variable(pod, 'ISTIO_META_OWNER')).toBe('kubernetes://apis/v1/namespaces/shop/pods/cart')
  })

  test("the policy of TLS of the control plane is the proxy's, in every template", () => {
    const under = { ...settings, tlsPolicy: 'fips-140-3' as const }
    expect(variable(inject(cart()).pod, 'COMPLIANCE_POLICY')).toBeUndefined()
    for (const templates of ['sidecar', 'gateway', 'grpc-agent']) {
      const pod = cart({ annotations: { 'inject.istio.io/templates': templates } })
      expect(variable(inject(pod, { settings: under }).pod, 'COMPLIANCE_POLICY')).toBe('fips-140-3')
    }
    const text = 'spec: {containers: [{name: istio-proxy, env: [{name: POLICY, value: "{{ .CompliancePolicy }}"}]}]}'
    const own = { ...under, config: { ...settings.config, templates: { sidecar: text } } }
    expect(variable(inject(cart(), { settings: own }).pod, 'POLICY')).toBe('fips-140-3')
  })

  test('applied to its own result changes nothing', () => {
    for (const pod of [
      cart(),
      cart({ annotations: { 'prometheus.io/port': '9090', 'sidecar.istio.io/nativeSidecar': 'false' } }),
      cart(
        {},
        {
          containers: [
            { name: 'istio-proxy', image: 'auto', resources: { limits: { cpu: '3' } } },
            { name: 'cart', readinessProbe: { httpGet: { port: 8080 } } },
          ],
        },
      ),
      cart({ annotations: { 'inject.istio.io/templates': 'gateway' } }, { containers: [{ name: 'istio-proxy', image: 'auto' }] }),
      cart({ annotations: { 'inject.istio.io/templates': 'grpc-agent' } }),
      cart({ annotations: { 'inject.istio.io/templates': 'grpc-simple' } }),
    ]) {
      const once = inject(pod).pod
      expect(inject(once).patch).toEqual([])
    }
  })

  test('does not change the pod that it is given', () => {
    const pod = cart({ annotations: { 'prometheus.io/port': '9090' } })
    const before = structuredClone(pod)
    inject(pod)
    expect(pod).toEqual(before)
  })

  test('is refused with all reasons at once, and skipped with one', () => {
    const bad = cart({ annotations: { 'status.sidecar.istio.io/port': 'x', 'inject.istio.io/templates': 'sidecar,nope' } })
    expect(injectPod({ pod: bad, namespace: 'shop', settings })).toMatchObject({
      outcome: 'refused',
      problems: [/is no port/, /"nope", which is no template; there are gateway/].map((r) => expect.stringMatching(r)),
    })
    expect(injectPod({ pod: cart(), namespace: 'kube-system', settings })).toMatchObject({
      outcome: 'skipped',
      reason: expect.stringMatching(/platform/),
    })
  })

  test('passes on where the application is scraped and points Prometheus to the agent', () => {
    const { pod } = inject(
      cart({ annotations: { 'prometheus.io/port': '9090', 'prometheus.io/path': '/m', 'prometheus.io/scrape': 'true' } }),
    )
    expect(variable(pod, 'ISTIO_PROMETHEUS_ANNOTATIONS')).toBe('{"scrape":"true","path":"/m","port":"9090"}')
    expect(pod.metadata.annotations).toMatchObject({ 'prometheus.io/port': '15020', 'prometheus.io/path': '/stats/prometheus' })
    const off = inject(cart({ annotations: { 'prometheus.istio.io/merge-metrics': 'false', 'prometheus.io/port': '9090' } })).pod
    expect(off.metadata.annotations?.['prometheus.io/port']).toBe('9090')
  })

  test('rewrites gRPC probes and keeps headers and timeouts', () => {
    const { pod } = inject(
      cart(
        {},
        {
          containers: [
            {
              name: 'cart',
              livenessProbe: { grpc: { port: 9000, service: 'live' }, timeoutSeconds: 4 },
              readinessProbe: { httpGet: { port: 'gone' } },
            },
          ],
        },
      ),
    )
    expect(variable(pod, 'ISTIO_KUBE_APP_PROBERS')).toBe(
      '{"/app-health/cart/livez":{"grpc":{"port":9000,"service":"live"},"timeoutSeconds":4}}',
    )
    expect(pod.spec.containers[0]?.livenessProbe).toEqual({ httpGet: { path: '/app-health/cart/livez', port: 15020 }, timeoutSeconds: 4 })
  })

  test('puts the proxy first when the application is to wait for it', () => {
    const hold = {
      annotations: { 'proxy.istio.io/config': 'holdApplicationUntilProxyStarts: true', 'sidecar.istio.io/nativeSidecar': 'false' },
    }
    const { pod } = inject(cart(hold))
    expect(pod.spec.containers.map((c) => c.name)).toEqual(['istio-proxy', 'cart'])
    expect(pod.spec.containers[0]?.lifecycle).toEqual({ postStart: { exec: { command: ['pilot-agent', 'wait'] } } })
  })

  test('merges ProxyConfig of mesh, resources and pod, the nearest winning', () => {
    const mesh = readMesh({ defaultConfig: { concurrency: 4, proxyMetadata: { A: 'mesh', B: 'mesh' }, drainDuration: '30s' } })
    const { pod } = inject(cart({ annotations: { 'proxy.istio.io/config': 'concurrency: 1\nproxyMetadata: {A: pod}' } }), {
      settings: { ...settings, mesh },
      proxyConfig: { concurrency: 2, image: { imageType: 'distroless' } },
    })
    expect(JSON.parse(variable(pod, 'PROXY_CONFIG') ?? '')).toEqual({
      drainDuration: '30s',
      concurrency: 1,
      proxyMetadata: { A: 'pod', B: 'mesh' },
      image: { imageType: 'distroless' },
    })
    expect(findContainer(pod, 'istio-proxy')?.image).toBe('docker.io/istio/proxyv2:1.30.3-distroless')
    expect([variable(pod, 'A'), variable(pod, 'B')]).toEqual(['pod', 'mesh'])
  })

  test('takes cluster and network from the webhook, the network rather from the pod', () => {
    const proxyEnv = { ISTIO_META_CLUSTER_ID: 'east', ISTIO_META_NETWORK: 'n1' }
    const { pod } = inject(cart(), { proxyEnv })
    expect([variable(pod, 'ISTIO_META_CLUSTER_ID'), variable(pod, 'ISTIO_META_NETWORK')]).toEqual(['east', 'n1'])
    const own = inject(cart({ labels: { 'topology.istio.io/network': 'n2' } }), { proxyEnv }).pod
    expect(variable(own, 'ISTIO_META_NETWORK')).toBe('n2')
  })

  test.each([
    ['objects', '{"data":{"emptyDir":{}}}', '{"data":{"mountPath":"/data"}}'],
    ['lists', '[{"name":"data","emptyDir":{}}]', '[{"name":"data","mountPath":"/data"}]'],
  ])('mounts what annotations ask for, as %s', (_, volumes, mounts) => {
    const annotations = {
      'sidecar.istio.io/userVolume': volumes,
      'sidecar.istio.io/userVolumeMount': mounts,
      'sidecar.istio.io/bootstrapOverride': 'my-bootstrap',
    }
    const { pod } = inject(cart({ annotations }))
    expect(pod.spec.volumes).toEqual(
      expect.arrayContaining([
        { name: 'data', emptyDir: {} },
        { name: 'custom-bootstrap-volume', configMap: { name: 'my-bootstrap' } },
      ]),
    )
    expect(findContainer(pod, 'istio-proxy')?.['volumeMounts']).toEqual(expect.arrayContaining([{ name: 'data', mountPath: '/data' }]))
  })

  test('without interception sets nothing up', () => {
    const { pod } = inject(cart({ annotations: { 'sidecar.istio.io/interceptionMode': 'NONE' } }))
    expect(pod.spec.initContainers?.map((c) => c.name)).toEqual(['istio-proxy'])
    expect(variable(pod, 'ISTIO_META_INTERCEPTION_MODE')).toBe('NONE')
  })
})

describe('on OpenShift', () => {
  const namespaceAnnotations = { 'openshift.io/sa.scc.uid-range': '1000620000/10000' }
  const pod = (application: number, proxy: number) =>
    cart(
      {},
      {
        containers: [
          { name: 'cart', image: 'shop/cart:1', securityContext: { runAsUser: application } },
          { name: 'istio-proxy', image: 'auto', securityContext: { readOnlyRootFilesystem: false, runAsUser: proxy, runAsGroup: proxy } },
        ],
      },
    )
  const proxyOf = (result: Pod) => findContainer(result, 'istio-proxy')?.securityContext

  test('a proxy that was given the id of the application gets one of its own', () => {
    const injected = inject(pod(1000620000, 1000620000), { namespaceAnnotations }).pod
    expect(proxyOf(injected)).toMatchObject({ readOnlyRootFilesystem: false, runAsUser: 1000629999, runAsGroup: 1000629999 })
    expect(injected.metadata.annotations?.['proxy.istio.io/overrides']).not.toContain('runAs')
    expect(inject(injected, { namespaceAnnotations }).pod).toEqual(injected)
  })

  test('an id that the user chose for the proxy alone stays', () => {
    expect(proxyOf(inject(pod(1000620000, 1000620007), { namespaceAnnotations }).pod)).toMatchObject({ runAsUser: 1000620007 })
    expect(proxyOf(inject(pod(1000, 1000)).pod)).toMatchObject({ runAsUser: 1000 })
  })
})

describe('custom templates', () => {
  const withTemplates = (templates: Record<string, string>, more: object = {}) => ({
    ...settings,
    config: readInjectorConfig({ policy: 'enabled', templates, ...more }),
  })

  test('replace built-in ones and see the pod as Istio shows it', () => {
    const sidecar =
      'spec:\n  containers:\n  - name: istio-proxy\n    image: "{{ .ProxyImage }}"\n    env:\n    - {name: PORTS, value: "{{ applicationPorts .Spec.Containers }}"}\n    - {name: CONFIG, value: {{ protoToJSON .ProxyConfig | quote }}}\n    - {name: OWNER, value: "{{ .TypeMeta.Kind }}/{{ .DeploymentMeta.Name }}"}\n'
    const { pod } = inject(cart(), { settings: withTemplates({ sidecar }) })
    expect(findContainer(pod, 'istio-proxy')).toMatchObject({
      image: 'docker.io/istio/proxyv2:1.30.3',
      env: expect.arrayContaining([
        { name: 'PORTS', value: '8080' },
        { name: 'CONFIG', value: '{}' },
        { name: 'OWNER', value: 'Pod/cart' },
      ]),
    })
  })

  test('come after others, under aliases, by default', () => {
    const config = withTemplates(
      { extra: 'metadata:\n  labels:\n    extra: "{{ .Values.global.tag }}"\n' },
      { defaultTemplates: ['both'], aliases: { both: ['sidecar', 'extra'] } },
    )
    const { pod } = inject(cart(), { settings: { ...config, values: mergeValues(DEFAULT_VALUES, { global: { tag: 't1' } }) } })
    expect(pod.metadata.labels).toMatchObject({ extra: 't1', 'security.istio.io/tlsMode': 'istio' })
  })

  test.each([
    ['{{ nope }}', /line 1: there is no function "nope"/],
    ['- a', /makes no object/],
    ['a: b: c', /makes no YAML/],
  ])('that do not work (%j) refuse the pod with the reason', (text, reason) => {
    const result = injectPod({ pod: cart(), namespace: 'shop', settings: withTemplates({ sidecar: text }) })
    expect(result).toMatchObject({ outcome: 'refused', problems: [expect.stringMatching(reason)] })
  })
})

test('native sidecars are on by default from Kubernetes 1.33, or as the setting says', () => {
  expect([32, 33].map((minor) => nativeSidecarsByDefault('auto', minor))).toEqual([false, true])
  expect(nativeSidecarsByDefault('true', 20)).toBe(true)
  expect(nativeSidecarsByDefault('false', 40)).toBe(false)
})
