import { RESOURCE_TYPES } from '@lateen/api'
import { setLogSink } from '@lateen/base'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type RealApi, startRealApi } from '../../../testdata/real-api.ts'

let api: RealApi

const client = { service: { name: 'istiod', namespace: 'istio-system', path: '/inject', port: 443 }, caBundle: 'Q0E=' }
const rules = [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }]
const webhook = (name: string, values: readonly string[]) => ({
  name,
  clientConfig: client,
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  // What is tried here is not whether pods are injected: nothing answers.
  failurePolicy: 'Ignore',
  rules,
  namespaceSelector: { matchExpressions: [{ key: 'istio.io/rev', operator: 'In', values }] },
})

beforeAll(async () => {
  setLogSink(() => undefined)
  api = await startRealApi([])
  for (const revision of ['1-30', '1-31']) {
    await api.client.create(RESOURCE_TYPES.MutatingWebhookConfiguration, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: `istio-sidecar-injector-${revision}`, labels: { 'istio.io/rev': revision } },
      webhooks: [webhook('rev.namespace.sidecar-injector.istio.io', [revision])],
    })
  }
  await api.client.create(RESOURCE_TYPES.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'istio-system' } })
  await api.client.create(RESOURCE_TYPES.Service, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'istiod', namespace: 'istio-system' },
    spec: { ports: [{ port: 443 }] },
  })
  await api.client.create(RESOURCE_TYPES.Namespace, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop', labels: { 'istio.io/rev': 'prod' } },
  })
}, 60_000)
afterAll(() => api.close())

describe('a revision tag', () => {
  test('is written as webhooks that lead where those of the revision lead', async () => {
    const { stdout, code } = await api.shell('tag', 'generate', 'prod', '--revision', '1-30')
    expect(code).toBe(0)
    const object = parse(stdout)
    expect(object.metadata).toMatchObject({ name: 'istio-revision-tag-prod', labels: { 'istio.io/rev': '1-30', 'istio.io/tag': 'prod' } })
    expect(object.webhooks).toHaveLength(2)
    for (const each of object.webhooks) expect(each.clientConfig).toEqual(client)
    expect(object.webhooks[0].namespaceSelector.matchExpressions).toContainEqual({ key: 'istio.io/rev', operator: 'In', values: ['prod'] })
  })

  test('named default injects what names no revision', async () => {
    const { stdout } = await api.shell('tag', 'generate', 'default', '-r', '1-30', '--auto-inject-namespaces')
    expect(parse(stdout).webhooks.map(({ name }: { name: string }) => name.split('.sidecar')[0])).toEqual([
      ...['rev.namespace', 'rev.object', 'namespace', 'object', 'auto'],
    ])
  })

  test('is set, moved, listed and removed', async () => {
    expect(await api.shell('tag', 'set', 'prod', '-r', '1-30')).toMatchObject({ code: 0, stderr: '' })
    expect((await api.shell('tag', 'list')).stdout).toBe('TAG    REVISION   NAMESPACES\nprod   1-30       shop\n       1-31\n')
    expect((await api.shell('tag', 'set', 'prod', '-r', '1-31')).stderr).toContain('with --overwrite')
    expect(await api.shell('tag', 'set', 'prod', '-r', '1-31', '--overwrite')).toMatchObject({ code: 0 })
    expect(JSON.parse((await api.shell('tag', 'show', '-o', 'json')).stdout)).toEqual([
      { tag: '', revision: '1-30', namespaces: [] },
      { tag: 'prod', revision: '1-31', namespaces: ['shop'] },
    ])
    expect(await api.shell('tag', 'remove', 'prod')).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('shop still uses tag "prod"'),
    })
    expect(await api.shell('tag', 'delete', 'prod', '-y')).toMatchObject({ code: 0, stdout: 'Revision tag prod removed\n' })
  })

  test.each([
    [['tag', 'set', 'prod'], 64, /--revision/],
    [['tag', 'set', 'Prod', '-r', '1-30'], 64, /lower-case/],
    [['tag', 'set', 'prod', '-r', '1-29'], 1, /there are the revisions 1-30, 1-31/],
    [['tag', 'set', '1-31', '-r', '1-30'], 1, /there is a control plane revision of that name/],
    [['tag', 'remove', 'nothing'], 1, /lateen tag list/],
  ])('%j is refused', async (argv, code, says) => {
    const ran = await api.shell(...argv)
    expect(ran.stderr).toMatch(says)
    expect(ran.code).toBe(code)
  })
})
