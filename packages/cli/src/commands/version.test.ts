/** `version`, where there is no cluster, and the texts that control planes answer with. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { startFakeApi } from '../../testdata/fake-api.ts'
import { runShell } from '../shell/shell.ts'
import { readVersion } from './mesh-versions.ts'
import { TREE } from './tree.ts'

const home = mkdtempSync(join(tmpdir(), 'lateen-version-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

async function version(...argv: string[]) {
  let [stdout, stderr] = ['', '']
  const streams = { stdout: { write: (more: string) => void (stdout += more) }, stderr: { write: (more: string) => void (stderr += more) } }
  const env = { LATEEN_HOME: home, HOME: home, KUBECONFIG: join(home, 'none') }
  const code = await runShell(['version', ...argv], { tree: TREE, foreign: [], env, streams, signal: new AbortController().signal })
  return { code, stdout, stderr }
}

test('without a cluster there is the version of the program', async () => {
  expect(await version()).toMatchObject({ code: 0, stdout: expect.stringMatching(/^client version: \d+\.\d+\.\d+\n$/) })
  expect((await version('--remote=false', '--short')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  expect((await version('--short=false')).stdout).toMatch(/^client version: version\.BuildInfo\{Version:"/)
  expect(JSON.parse((await version('-o', 'json')).stdout)).toEqual({
    clientVersion: expect.objectContaining({ version: expect.any(String), golang_version: '' }),
  })
})

test('a cluster without a control plane is told on standard error; the rest is still there', async () => {
  const api = await startFakeApi()
  try {
    const { code, stdout, stderr } = await api.shell('version', '--remote')
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^client version: [^\n]*\n$/) })
    expect(stderr).toContain('no control plane runs in namespace istio-system')
  } finally {
    await api.close()
  }
})

test.each([
  ['1.30.3-lateen-Clean', { version: '1.30.3', revision: 'lateen', status: 'Clean' }],
  ['1.30-alpha.4-abc123-Modified\n', { version: '1.30-alpha.4', revision: 'abc123', status: 'Modified' }],
  ['unknown', { version: 'unknown' }],
])('%j', (text, wanted) => {
  expect(readVersion(text)).toMatchObject(wanted)
})
