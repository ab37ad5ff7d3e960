import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestCluster, type TestCluster } from '../../testdata/test-cluster.ts'
import { type Account, createSecretAccess, type SecretAccess } from './secret-access.ts'

const RBAC = 'rbac.authorization.k8s.io'
let cluster: TestCluster

beforeAll(async () => {
  cluster = await startTestCluster()
  await cluster.createNamespace('edge')
  await cluster.createNamespace('other')
}, 60_000)
afterAll(() => cluster.close(), 60_000)

/** Resolves with the answer, when it comes. */
async function answer(access: SecretAccess, account: Account): Promise<boolean> {
  const told = Promise.withResolvers<void>()
  const known = access.mayRead(account, told.resolve)
  if (known !== undefined) return known
  await told.promise
  return access.mayRead(account, () => {}) === true
}

async function grant(namespace: string, serviceAccount: string): Promise<void> {
  const create = (kind: string, rest: object) =>
    cluster.client.request('POST', `/apis/${RBAC}/v1/namespaces/${namespace}/${kind.toLowerCase()}s`, {
      apiVersion: `${RBAC}/v1`,
      kind,
      metadata: { name: serviceAccount, namespace },
      ...rest,
    })
  await create('Role', { rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch'] }] })
  await create('RoleBinding', {
    roleRef: { apiGroup: RBAC, kind: 'Role', name: serviceAccount },
    subjects: [{ kind: 'ServiceAccount', name: serviceAccount, namespace }],
  })
}

test('an account may read Secrets where a Role says so, and only there', async () => {
  await grant('edge', 'gateway')
  const access = createSecretAccess(cluster.client)
  expect(await answer(access, { namespace: 'edge', serviceAccount: 'gateway' })).toBe(true)
  expect(await answer(access, { namespace: 'edge', serviceAccount: 'default' })).toBe(false)
  expect(await answer(access, { namespace: 'other', serviceAccount: 'gateway' })).toBe(false)
})

test('who was refused hears of the right when it is given; who has gone hears nothing', async () => {
  const access = createSecretAccess(cluster.client)
  const account = { namespace: 'edge', serviceAccount: 'late' }
  expect(await answer(access, account)).toBe(false)
  const granted = Promise.withResolvers<void>()
  let gone = 0
  const leave = () => void gone++
  expect(access.mayRead(account, granted.resolve)).toBe(false)
  access.mayRead(account, leave)
  access.forget(account, leave)
  await grant('edge', 'late')
  await granted.promise
  expect(access.mayRead(account, () => {})).toBe(true)
  expect(gone).toBe(0)
})
