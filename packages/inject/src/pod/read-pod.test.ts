import fc from 'fast-check'
import { expect, test } from 'vitest'
import { injectPod } from '../inject-pod.ts'
import { DEFAULT_INJECTOR_CONFIG, readMesh } from '../settings/injector-config.ts'
import { DEFAULT_VALUES } from '../settings/values.ts'
import { isRecord } from './pod.ts'
import { readPod } from './read-pod.ts'

const settings = { config: DEFAULT_INJECTOR_CONFIG, values: DEFAULT_VALUES, mesh: readMesh({}), revision: 'default', nativeSidecars: true }

const sound = {
  metadata: {
    name: 'cart',
    labels: { app: 'cart' },
    annotations: { 'prometheus.io/port': '9090' },
    ownerReferences: [{ apiVersion: 'v1', kind: 'A', name: 'a' }],
  },
  spec: {
    containers: [
      {
        name: 'cart',
        env: [{ name: 'A', value: '1' }],
        ports: [{ name: 'http', containerPort: 80 }],
        readinessProbe: { httpGet: { port: 'http', path: '/' } },
        lifecycle: { preStop: { tcpSocket: { port: 80 } } },
        securityContext: { runAsUser: 1 },
        resources: { limits: { cpu: 1 } },
        volumeMounts: [{ name: 'a', mountPath: '/a' }],
      },
      { name: 'istio-proxy', image: 'auto', env: [{ name: 'B' }] },
    ],
    volumes: [{ name: 'a', emptyDir: {} }],
  },
}

test.each([
  [null, 'the pod is no object'],
  [{}, 'spec is missing'],
  [{ spec: { containers: 'x' } }, 'spec.containers must be a list'],
  [{ spec: { containers: [{}] } }, 'spec.containers[0].name is missing'],
  [{ spec: { containers: [{ name: 'a', env: [{ name: 1 }] }] } }, 'spec.containers[0].env[0].name must be a text'],
  [{ spec: { containers: [{ name: 'a', livenessProbe: { httpGet: {} } }] } }, 'spec.containers[0].livenessProbe.httpGet.port is missing'],
  [{ metadata: { labels: { a: 1 } }, spec: {} }, 'metadata.labels must map names to strings (quote numbers, true and false)'],
  [
    { spec: { volumes: Array.from({ length: 1001 }, (_, i) => ({ name: `v${i}` })) } },
    'spec.volumes has 1001 elements; at most 1000 are accepted',
  ],
])('%j is no pod: %s', (value, problem) => {
  expect(readPod(value)).toEqual({ problem })
})

test('null fields count as absent', () => {
  expect(
    readPod({ metadata: { labels: null, annotations: null }, spec: { containers: [{ name: 'a', env: null }], initContainers: null } }),
  ).toEqual({
    pod: { metadata: {}, spec: { containers: [{ name: 'a' }] } },
  })
})

test('whatever any one field of a pod is, it is injected, skipped or refused, never an exception', () => {
  const paths = pathsOf(sound)
  const oddity = fc.constantFrom<unknown>(
    null,
    0,
    -1,
    true,
    '',
    'x',
    '*',
    [],
    {},
    [null],
    [[]],
    { name: 'x' },
    { $patch: 'delete' },
    'x'.repeat(2000),
  )
  fc.assert(
    fc.property(fc.constantFrom(...paths), oddity, (path, value) => {
      const read = readPod(replaced(structuredClone(sound), path, value))
      if ('pod' in read)
        expect(['injected', 'skipped', 'refused']).toContain(injectPod({ pod: read.pod, namespace: 'shop', settings }).outcome)
      else expect(read.problem).toMatch(/^(the pod|spec|metadata)/)
    }),
    { numRuns: 2000 },
  )
})

function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  const inner =
    typeof value === 'object' && value !== null ? Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...path, key])) : []
  return [path, ...inner]
}

function replaced(root: unknown, path: readonly string[], value: unknown): unknown {
  const [last] = path.slice(-1)
  if (last === undefined) return value
  const parent = path
    .slice(0, -1)
    .reduce<unknown>((at, key) => (isRecord(at) ? at[key] : Array.isArray(at) ? at[Number(key)] : undefined), root)
  if (isRecord(parent)) parent[last] = value
  else if (Array.isArray(parent)) parent[Number(last)] = value
  return root
}
