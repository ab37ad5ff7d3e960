import { expect, test } from 'vitest'
import { CONTROLLER_VERSION, isForNewerController } from './controller-version.ts'

const gateway = (version?: string) => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'front', ...(version === undefined ? {} : { annotations: { [CONTROLLER_VERSION]: version } }) },
})

test.each([
  [undefined, false],
  ['1', false],
  ['5', false],
  ['6', true],
  ['next', true],
  ['', true],
])('a Gateway that says %s is for a newer controller: %s', (version, expected) => {
  expect(isForNewerController(gateway(version))).toBe(expected)
})
