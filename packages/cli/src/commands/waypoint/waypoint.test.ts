import { RESOURCE_TYPES } from '@lateen/api'
import { setLogSink } from '@lateen/base'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { startFakeApi } from '../../../testdata/fake-api.ts'
import { type RealApi, startRealApi } from '../../../testdata/real-api.ts'

const free = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }

/** As much of the Gateway API as waypoints are made of. */
const crd = (kind: string, plural: string, scope: string) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.gateway.networking.k8s.io` },
  spec: {
    group: 'gateway.networking.k8s.io',
    names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
    scope,
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: free }, subresources: { status: {} } }],
  },
})

let api: RealApi

beforeAll(async () => {
  setLogSink(() => undefined)
  api = await startRealApi([crd('Gateway', 'gateways', 'Namespaced'), crd('GatewayClass', 'gatewayclasses', 'Cluster')])
}, 60_000)
afterAll(() => api.close())

test('is written without a cluster being asked', async () => {
  const { stdout } = await api.shell('waypoint', 'generate', '-n', 'shop', '--for', 'all', '-r', 'canary', '--name', 'gate')
  expect(parse(stdout)).toEqual({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'gate', namespace: 'shop', labels: { 'istio.io/rev': 'canary', 'istio.io/waypoint-for': 'all' } },
    spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
  })
})

test('is applied, the namespace enrolled, listed, looked at and deleted', async () => {
  const applied = await api.shell('waypoint', 'apply', '--enroll-namespace')
  expect(applied.stdout).toBe('waypoint default/waypoint applied\nnamespace default labeled with "istio.io/use-waypoint: waypoint"\n')
  expect(applied.stderr).toMatch(/not in ambient mode.*\n.*no GatewayClass istio-waypoint/)
  expect((await api.shell('waypoint', 'apply', '--enroll-namespace')).stderr).toContain('--overwrite')
  expect((await api.shell('waypoint', 'list')).stdout).toMatch(
    /^NAME +REVISION +TRAFFIC TYPE +PROGRAMMED\nwaypoint +default +none +False\n$/,
  )
  const late = await api.shell('waypoint', 'status', '--waypoint-timeout', '10ms')
  expect(late).toMatchObject({ code: 1, stderr: expect.stringContaining('waypoint default/waypoint is not ready after 0.01 s: no status') })

  const conditions = [
    { type: 'Programmed', status: 'True', reason: 'Programmed', message: 'runs', lastTransitionTime: '2030-01-01T00:00:00Z' },
  ]
  await api.client.patch(RESOURCE_TYPES.KubernetesGateway, 'default', 'waypoint', { status: { conditions } }, { subresource: 'status' })
  expect((await api.shell('waypoint', 'status')).stdout).toMatch(
    /^NAMESPACE +NAME.*\ndefault +waypoint +True +Programmed +Programmed +runs\n$/,
  )
  expect((await api.shell('waypoint', 'list', '-A')).stdout).toMatch(/\ndefault +waypoint +default +none +True\n$/)
  expect((await api.shell('waypoint', 'apply', '--wait')).stdout).toContain('waypoint default/waypoint is ready!')

  expect((await api.shell('waypoint', 'delete', 'waypoint', 'nothing')).stdout).toBe(
    'waypoint default/waypoint deleted\nwaypoint default/nothing not found\n',
  )
  expect((await api.shell('waypoint', 'list', '-A')).stdout).toBe('No waypoints found.\n')
})

test.each([
  [['waypoint', 'generate', '--for', 'some'], /--for some: one of all, none, service, workload/],
  [['waypoint', 'generate', '--name', 'none'], /choose another/],
  [['waypoint', 'delete'], /which waypoints/],
  [['waypoint', 'delete', 'a', '--all'], /give names, or --all/],
])('%j is wrong usage', async (argv, says) => {
  const { code, stderr } = await api.shell(...argv)
  expect(stderr).toMatch(says)
  expect(code).toBe(64)
})

test.each([
  ['a page of a real API server', '404 page not found'],
  [
    'a Status without a name',
    { kind: 'Status', status: 'Failure', reason: 'NotFound', message: 'the server could not find the requested resource', code: 404 },
  ],
])('a cluster without the Gateway API is told, by %s', async (_, body) => {
  const bare = await startFakeApi()
  bare.answers.set('GET /apis/gateway.networking.k8s.io/v1/gateways', { status: 404, body })
  expect(await bare.shell('waypoint', 'list', '-A')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('does not know the Gateway API'),
  })
  await bare.close()
})
