import { expect, test } from 'vitest'
import {
  projectConfig,
  projectConfigMap,
  projectNode,
  projectPod,
  projectSecret,
  projectService,
  projectServiceEntry,
  projectWorkloadEntry,
} from './projections.ts'

const metadata = {
  name: 'cart-1',
  namespace: 'shop',
  uid: 'u1',
  resourceVersion: '12',
  generation: 3,
  labels: { app: 'cart' },
  managedFields: [{ manager: 'kubectl' }],
  annotations: {
    'kubectl.kubernetes.io/last-applied-configuration': '{…}',
    'sidecar.istio.io/status': '{…}',
    'sidecar.istio.io/statsInclusionPrefixes': 'x',
    other: 'y',
  },
}

test('a pod keeps what identifies, places and exposes it', () => {
  const pod = projectPod({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'cart', uid: 'r', controller: true, blockOwnerDeletion: true }],
    },
    spec: {
      nodeName: 'n1',
      serviceAccountName: 'cart',
      volumes: [{}],
      containers: [{ name: 'app', image: 'app:1', env: [{}], ports: [{ name: 'http', containerPort: 8080, hostPort: 1 }] }],
    },
    status: {
      phase: 'Running',
      podIP: '10.0.0.1',
      hostIP: 'x',
      conditions: [
        { type: 'Ready', status: 'True', lastTransitionTime: 't' },
        { type: 'Initialized', status: 'True' },
      ],
    },
  })
  expect(pod).toEqual({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'cart-1',
      namespace: 'shop',
      labels: { app: 'cart' },
      annotations: { 'sidecar.istio.io/statsInclusionPrefixes': 'x' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'cart', uid: 'r', controller: true }],
    },
    spec: { nodeName: 'n1', serviceAccountName: 'cart', containers: [{ name: 'app', ports: [{ name: 'http', containerPort: 8080 }] }] },
    status: { phase: 'Running', podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }], conditions: [{ type: 'Ready', status: 'True' }] },
  })
})

test('pods without an address, and pods that have ended, are left out', () => {
  const pod = (status: object) => projectPod({ apiVersion: 'v1', kind: 'Pod', metadata, spec: {}, status })
  expect(pod({ phase: 'Pending' })).toBeUndefined()
  expect(pod({ phase: 'Succeeded', podIP: '10.0.0.1' })).toBeUndefined()
})

test("a node's heartbeat leaves nothing behind that changes", () => {
  const node = (heartbeat: string) =>
    projectNode({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': 'a', 'beta.kubernetes.io/os': 'linux' } },
      status: { addresses: [{ type: 'InternalIP', address: '10.1.0.1' }], conditions: [{ type: 'Ready', lastHeartbeatTime: heartbeat }] },
    })
  expect(node('1')).toEqual(node('2'))
  expect(node('1')?.metadata.labels).toEqual({ 'topology.kubernetes.io/zone': 'a' })
})

test('of Secrets, those with certificates are kept, and of these the certificates', () => {
  const secret = (type: string, data: object) => projectSecret({ apiVersion: 'v1', kind: 'Secret', metadata, type, data })
  expect(secret('kubernetes.io/tls', { 'tls.crt': 'a', 'tls.key': 'b', notes: 'c' })).toMatchObject({
    data: { 'tls.crt': 'a', 'tls.key': 'b' },
  })
  expect(secret('Opaque', { password: 'x' })).toBeUndefined()
  expect(secret('kubernetes.io/service-account-token', { 'ca.crt': 'x', token: 'y' })).toBeUndefined()
})

test('status and managed fields of configuration do not count as change; the generation stays', () => {
  const rule = (status: object, resourceVersion: string) =>
    projectConfig({
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { ...metadata, resourceVersion },
      spec: { hosts: ['a'] },
      status,
    })
  expect(rule({ conditions: [] }, '1')).toEqual(rule({ conditions: [{ type: 'X' }] }, '2'))
  expect(rule({}, '1')?.metadata.generation).toBe(3)
})

test('of the status stays what the mesh goes by: addresses of ServiceEntries, health of WorkloadEntries', () => {
  const of = (kind: string, status: object) => ({ apiVersion: 'networking.istio.io/v1', kind, metadata, spec: {}, status })
  const addresses = [{ host: 'api.example.com', value: '240.240.0.1' }]
  expect(projectServiceEntry(of('ServiceEntry', { addresses, conditions: [{ type: 'X' }] }))?.status).toEqual({ addresses })
  const healthy = { type: 'Healthy', status: 'True' }
  const conditions = [
    { ...healthy, lastProbeTime: '1' },
    { type: 'X', status: 'True' },
  ]
  expect(projectWorkloadEntry(of('WorkloadEntry', { conditions }))?.status).toEqual({ conditions: [healthy] })
  expect(projectWorkloadEntry(of('WorkloadEntry', {}))?.status).toBeUndefined()
})

test('of ConfigMaps, those with authorities are kept', () => {
  const map = (data: object) => projectConfigMap({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data })
  expect(map({ 'ca.crt': 'a', notes: 'b' })?.data).toEqual({ 'ca.crt': 'a' })
  expect(map({ mesh: 'x' })).toBeUndefined()
})

test("a Service keeps its load balancer's addresses", () => {
  const service = projectService({
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { clusterIP: '10.96.0.5', ports: [{ port: 80 }], sessionAffinity: 'None' },
    status: { loadBalancer: { ingress: [{ ip: '1.2.3.4', ipMode: 'VIP' }] } },
  })
  expect(service).toMatchObject({
    spec: { clusterIP: '10.96.0.5', ports: [{ port: 80 }] },
    status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } },
  })
})
