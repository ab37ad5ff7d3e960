import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

test('long output through a pipe arrives whole', async () => {
  const { stdout } = await promisify(execFile)(
    '/bin/sh',
    ['-c', '"$0" "$1" x crds | (sleep 0.3; cat)', process.execPath, join(import.meta.dirname, 'main.ts')],
    {
      maxBuffer: 64 * 1024 * 1024,
    },
  )
  expect(stdout.length).toBeGreaterThan(200_000)
  expect(stdout.match(/^kind: CustomResourceDefinition$/gm)).toHaveLength(15)
})

test('a reader that goes away early is no fault', async () => {
  const { stdout, stderr } = await promisify(execFile)('/bin/sh', [
    '-c',
    '"$0" "$1" x crds | head -1',
    process.execPath,
    join(import.meta.dirname, 'main.ts'),
  ])
  expect({ stdout, stderr }).toEqual({ stdout: 'apiVersion: apiextensions.k8s.io/v1\n', stderr: '' })
})
