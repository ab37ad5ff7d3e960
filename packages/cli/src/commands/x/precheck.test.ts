/** `x precheck` against clusters that are old, forbid things, or have Gateway API of another age. */
import type { KubeObject } from '@lateen/api'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { type FakeApi, startFakeApi } from '../../../testdata/fake-api.ts'

const api: FakeApi = await startFakeApi()
afterAll(() => api.close())

const REVIEW = 'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews'
const GATEWAY_CRD = (...versions: string[]): KubeObject => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gateways.gateway.networking.k8s.io' },
  spec: { group: 'gateway.networking.k8s.io', names: { kind: 'Gateway' }, versions: versions.map((name) => ({ name, served: true })) },
})

beforeEach(() => {
  api.answers.clear()
  api.answers.set('GET /version', { status: 200, body: { major: '1', minor: '34+', gitVersion: 'v1.34.1' } })
  api.answers.set(REVIEW, { status: 201, body: { status: { allowed: true } } })
  api.objects = [GATEWAY_CRD('v1', 'v1beta1')]
})

const codes = async (...argv: string[]) => {
  const { code, stdout } = await api.shell('x', 'precheck', '-o', 'json', ...argv)
  const found: unknown = JSON.parse(stdout)
  return { code, codes: Array.isArray(found) ? found.map((each: { code: string }) => each.code) : [] }
}

test('a cluster that can take a mesh is told so', async () => {
  const { code, stdout, stderr } = await api.shell('x', 'precheck')
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
  expect(stderr).toContain('No issues found when checking the cluster')
})

test('an old cluster, missing rights and an old Gateway API are found', async () => {
  api.answers.set('GET /version', { status: 200, body: { major: '1', minor: '22', gitVersion: 'v1.22.0' } })
  api.answers.set(REVIEW, { status: 201, body: { status: { allowed: false, reason: 'you are a reader' } } })
  api.objects = [GATEWAY_CRD('v1alpha2')]
  const { code, stdout, stderr } = await api.shell('x', 'precheck')
  expect(code).toBe(1)
  expect(stdout).toMatch(/v1\.22\.0/)
  expect(stdout).toContain('you are a reader')
  expect(stdout).toContain('CustomResourceDefinition gateways.gateway.networking.k8s.io')
  expect(stderr).toContain('may not be safe to install or upgrade')
  expect(new Set((await codes()).codes).size).toBe(3)
})

test('what changed since a version is told where it matters', async () => {
  api.objects = [{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'zipkin', namespace: 'istio-system' } }]
  expect((await codes('--from-version', '1.20')).codes).toHaveLength(1)
  expect((await codes('--from-version', '1.29')).codes).toEqual([])
  expect((await codes('--from-version', '1.20', '--output-threshold', 'Error')).codes).toEqual([])
  expect((await api.shell('x', 'precheck', '--from-version', 'new')).code).toBe(64)
})

test('the checks of the cluster can be left out', async () => {
  api.answers.set('GET /version', { status: 500, body: {} })
  expect((await api.shell('x', 'precheck', '--skip-controlplane')).code).toBe(0)
})
