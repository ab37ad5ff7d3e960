import { expect, test } from 'vitest'
import { ownerOfPod } from './owner.ts'

const pod = (kind: string, name: string, labels: Record<string, string> = {}, apiVersion = 'apps/v1') => ({
  metadata: { generateName: `${name}-`, namespace: 'shop', labels, ownerReferences: [{ apiVersion, kind, name, controller: true }] },
  spec: { containers: [] },
})

test.each([
  [
    'a ReplicaSet of a Deployment',
    pod('ReplicaSet', 'cart-7f9', { 'pod-template-hash': '7f9' }),
    { kind: 'Deployment', name: 'cart', apiVersion: 'apps/v1' },
  ],
  ['a ReplicaSet of its own', pod('ReplicaSet', 'cart'), { kind: 'ReplicaSet', name: 'cart' }],
  ['a Rollout', pod('ReplicaSet', 'cart-5c', { 'rollouts-pod-template-hash': '5c' }), { kind: 'Rollout', name: 'cart' }],
  ['a CronJob', pod('Job', 'report-28012345', {}, 'batch/v1beta1'), { kind: 'CronJob', name: 'report', apiVersion: 'batch/v1' }],
  ['a Job', pod('Job', 'report-2'), { kind: 'Job', name: 'report-2' }],
  ['a DeploymentConfig', pod('ReplicationController', 'cart-1', { deploymentconfig: 'cart' }), { kind: 'DeploymentConfig', name: 'cart' }],
  ['a DaemonSet', pod('DaemonSet', 'logs'), { kind: 'DaemonSet', name: 'logs' }],
])('the owner of the pod of %s', (_, of, owner) => {
  expect(ownerOfPod(of)).toMatchObject({ ...owner, namespace: 'shop' })
})

test('a pod that nothing controls is its own workload', () => {
  expect(ownerOfPod({ metadata: { name: 'debug' }, spec: { containers: [] } })).toEqual({
    apiVersion: 'v1',
    kind: 'Pod',
    name: 'debug',
    namespace: '',
  })
})
