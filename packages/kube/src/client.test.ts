import { crds, type KubeObject, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { setLogSink } from '@lateen/base'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testdata/test-api.ts'
import { createKubeClient } from './client.ts'
import { staticCredentials } from './credentials.ts'
import { ApiError, ConnectionError } from './errors.ts'
import { electLeader, LEASE } from './leader-election.ts'
import { listWatch } from './list-watch.ts'
import type { KubeClient } from './types.ts'

const { ConfigMap, DestinationRule, Namespace } = RESOURCE_TYPES
const namespace = `kube-test-${Date.now().toString(36)}`
let api: TestApi
let client: KubeClient

beforeAll(async () => {
  setLogSink(() => undefined)
  api = await startTestApi(crds())
  client = api.client
  await client.create(Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
}, 60_000)
afterAll(async () => {
  await client.delete(Namespace, undefined, namespace)
  await api.close()
}, 60_000)

const map = (name: string, data: Record<string, string> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace, labels: { made: 'here' } },
  data,
})

/** Follows a kind; `until` resolves when the objects told so far make the claim true. */
function follow(type: ResourceType, options: { unavailable?: number } = {}) {
  const known = new Map<string, KubeObject>()
  let claims: { holds: () => boolean; resolve: () => void }[] = []
  const check = () => {
    claims = claims.filter(({ holds, resolve }) => {
      if (!holds()) return true
      resolve()
      return false
    })
  }
  const watch = listWatch(
    client,
    type,
    { namespace, pageSize: 2, timing: { firstBackOff: 20, unavailable: options.unavailable ?? 50 } },
    {
      replace: (objects) => {
        known.clear()
        for (const object of objects) known.set(object.metadata.name, object)
        check()
      },
      set: (object) => {
        known.set(object.metadata.name, object)
        check()
      },
      delete: (object) => {
        known.delete(object.metadata.name)
        check()
      },
    },
  )
  return {
    watch,
    known,
    until: (holds: () => boolean) =>
      new Promise<void>((resolve) => {
        claims.push({ holds, resolve })
        check()
      }),
  }
}

describe('the client', () => {
  test('creates, reads, changes, applies and deletes', async () => {
    const made = await client.create(ConfigMap, map('crud', { a: '1' }))
    expect(made.metadata.uid).toBeTruthy()
    await client.update(ConfigMap, { ...made, data: { a: '2' } })
    await expect(client.update(ConfigMap, { ...made, data: { a: '3' } })).rejects.toMatchObject({ code: 409, reason: 'Conflict' })
    await client.patch(ConfigMap, namespace, 'crud', { data: { b: '1' } })
    await client.patch(ConfigMap, namespace, 'crud', [{ op: 'remove', path: '/data/a' }], { type: 'application/json-patch+json' })
    const applied = await client.apply(ConfigMap, map('crud', { c: '1' }), { fieldManager: 'test', force: true })
    expect(applied.data).toEqual({ b: '1', c: '1' })
    await client.delete(ConfigMap, namespace, 'crud')
    const missing = await client.get(ConfigMap, namespace, 'crud').catch((error: unknown) => error)
    expect(missing).toBeInstanceOf(ApiError)
    expect(missing).toMatchObject({ code: 404, reason: 'NotFound', message: expect.stringContaining('configmaps "crud" not found') })
  })

  test('lists by label and page by page, and gives items their kind', async () => {
    for (const name of ['p1', 'p2', 'p3']) await client.create(ConfigMap, map(name))
    const first = await client.list(ConfigMap, { namespace, labelSelector: 'made=here', limit: 2 })
    expect(first.items.map((item) => [item.kind, item.metadata.name])).toEqual([
      ['ConfigMap', 'p1'],
      ['ConfigMap', 'p2'],
    ])
    const second = await client.list(ConfigMap, {
      namespace,
      labelSelector: 'made=here',
      limit: 2,
      ...(first.continue ? { continue: first.continue } : {}),
    })
    expect(second.items.map((item) => item.metadata.name)).toEqual(['p3'])
    expect(second.continue).toBeUndefined()
  })

  test('says what to do when the server is not there, is not trusted, or does not know the caller', async () => {
    const other = (changes: object) => createKubeClient({ ...api.connection, ...changes })
    const failure = (changes: object) =>
      other(changes)
        .get(ConfigMap, namespace, 'x')
        .catch((error: unknown) => error)
    const gone = await failure({ server: new URL('https://127.0.0.1:1') })
    expect(gone).toBeInstanceOf(ConnectionError)
    expect(gone).toMatchObject({ code: 'ECONNREFUSED', message: expect.stringContaining('nothing listens there') })
    expect(await failure({ ca: undefined, insecureSkipTlsVerify: false, server: new URL(api.connection.server) })).toMatchObject({
      message: expect.stringContaining('its certificate is not trusted'),
    })
    expect(await failure({ credentials: staticCredentials({ token: 'unknown' }) })).toMatchObject({ code: 401 })
  })

  test('an answer that is larger than allowed is not read to its end', async () => {
    const small = createKubeClient(api.connection, { maxResponseBytes: 100 })
    await expect(small.list(ConfigMap)).rejects.toThrow('larger than 100 bytes')
    small.close()
  })
})

describe('list-watch', () => {
  test('follows objects through creation, change and deletion', async () => {
    const { watch, known, until } = follow(ConfigMap)
    await watch.synced
    await client.create(ConfigMap, map('followed', { a: '1' }))
    await until(() => known.has('followed'))
    await client.patch(ConfigMap, namespace, 'followed', { data: { a: '2' } })
    await until(() => JSON.stringify(known.get('followed')?.data) === '{"a":"2"}')
    await client.delete(ConfigMap, namespace, 'followed')
    await until(() => !known.has('followed'))
    watch.stop()
  })

  test('goes on when the server is restarted, and misses nothing', async () => {
    const { watch, known, until } = follow(DestinationRule)
    await watch.synced
    if (!(await api.restart())) return watch.stop()
    const rule = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'DestinationRule',
      metadata: { name: 'after', namespace },
      spec: { host: 'a' },
    }
    // The first writes may still meet a connection of the old server.
    while ((await client.create(DestinationRule, rule).catch((error: unknown) => error)) instanceof ConnectionError);
    await until(() => known.has('after'))
    watch.stop()
  }, 30_000)

  test('a kind that is not served is unavailable, and found at once when it is woken after its definition appeared', async () => {
    const group = `${namespace}.example.com`
    const type: ResourceType = { group, version: 'v1', kind: 'Sail', plural: 'sails', namespaced: true }
    const { watch, known, until } = follow(type, { unavailable: 60_000 })
    await watch.synced
    expect(watch.state).toBe('unavailable')
    await client.create(RESOURCE_TYPES.CustomResourceDefinition, {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `sails.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { kind: 'Sail', plural: 'sails', singular: 'sail', listKind: 'SailList' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    })
    const sail: KubeObject = { apiVersion: `${group}/v1`, kind: 'Sail', metadata: { name: 'main', namespace } }
    for (let made = false; !made; )
      made = await client.create(type, sail).then(
        () => true,
        (error: unknown) => !(error instanceof ApiError && error.code === 404),
      )
    watch.wake()
    await until(() => known.has('main'))
    watch.stop()
    await client.delete(RESOURCE_TYPES.CustomResourceDefinition, undefined, `sails.${group}`)
  }, 30_000)
})

test('when the client is closed its list-watches stop', async () => {
  const own = createKubeClient(api.connection)
  const watch = listWatch(own, ConfigMap, { namespace }, { replace: () => undefined, set: () => undefined, delete: () => undefined })
  await watch.synced
  own.close()
  while (watch.state !== 'stopped') await new Promise((resolve) => setImmediate(resolve))
  await expect(own.get(ConfigMap, namespace, 'x')).rejects.toMatchObject({ code: 'CLOSED' })
})

describe('leader election', () => {
  const timing = { leaseDurationMs: 1_000, retryMs: 50 }
  const elect = (identity: string, name: string) => {
    const led: AbortSignal[] = []
    let wake: () => void = () => undefined
    const election = electLeader(client, { namespace, name, identity, ...timing }, (signal) => {
      led.push(signal)
      wake()
    })
    const leads = () => (led.length > 0 ? Promise.resolve() : new Promise<void>((resolve) => (wake = resolve)))
    return { election, led, leads }
  }

  test('one of several leads; when it stops, the next takes over without waiting for the lease to run out', async () => {
    const one = elect('one', 'handover')
    await one.leads()
    const two = elect('two', 'handover')
    const stopped = performance.now()
    await one.election.stop()
    expect(one.led[0]?.aborted).toBe(true)
    await two.leads()
    expect(performance.now() - stopped).toBeLessThan(timing.leaseDurationMs)
    await two.election.stop()
  }, 20_000)

  test('the lease of a replica that has died is taken when it has run out', async () => {
    const spec = {
      holderIdentity: 'dead',
      leaseDurationSeconds: 1,
      renewTime: '2999-01-01T00:00:00.000000Z',
      acquireTime: '2999-01-01T00:00:00.000000Z',
    }
    await client.create(LEASE, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'orphan', namespace }, spec })
    const heir = elect('heir', 'orphan')
    await heir.leads()
    expect((await client.get(LEASE, namespace, 'orphan')).spec).toMatchObject({ holderIdentity: 'heir', leaseTransitions: 1 })
    await heir.election.stop()
  }, 20_000)
})
