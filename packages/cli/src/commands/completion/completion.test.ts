import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FakeApi, startFakeApi } from '../../../testdata/fake-api.ts'
import { FOREIGN, TREE } from '../tree.ts'
import { candidates } from './candidates.ts'

let api: FakeApi
const pod = (name: string, namespace: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace },
  status: { phase: 'Running' },
})

beforeAll(async () => {
  api = await startFakeApi()
  api.objects = [
    pod('web-1', 'shop'),
    pod('cart-1', 'shop'),
    pod('web-9', 'other'),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } },
  ]
})
afterAll(() => api.close())

async function after(...words: string[]): Promise<string[]> {
  const env = { KUBECONFIG: `${api.folder}/kubeconfig` }
  return (await candidates(words, { env, home: api.folder, tree: TREE, foreign: FOREIGN })).map(({ name }) => name)
}

describe('what may come next', () => {
  test('commands, hidden ones not', async () => {
    expect(await after('proxy-s')).toEqual(['proxy-status'])
    expect(await after('')).toEqual(expect.arrayContaining(['analyze', 'check', 'discovery']))
    expect(await after('')).not.toContain('supervise')
    expect(await after('proxy-config', 'cl')).toEqual(['cluster'])
    expect(await after('pc', 'c')).toEqual(['cluster'])
  })

  test('flags of the command, and values of those with a choice', async () => {
    expect(await after('pc', 'c', '--fq')).toEqual(['--fqdn'])
    expect(await after('check', '-o', '')).toEqual(['json', 'short', 'table', 'yaml'])
    expect(await after('check', '--output=j')).toEqual(['--output=json'])
  })

  test('pods of the namespace by name, those of others with theirs', async () => {
    expect(await after('pc', 'c', '-n', 'shop', 'w')).toEqual(['web-1', 'web-9.other'])
    expect(await after('proxy-config', 'cluster', '--namespace=other', 'we')).toEqual(['web-1.shop', 'web-9'])
  })

  test('namespaces and contexts', async () => {
    expect(await after('analyze', '-n', 's')).toEqual(['shop'])
    expect(await after('analyze', '--context', '')).toEqual(['x'])
  })

  test('nothing where a file is wanted, or all is there', async () => {
    expect(await after('validate', '-f', '')).toEqual([])
    expect(await after('pc', 'c', 'web-1', '')).toEqual([])
  })
})

test.each(['bash', 'zsh', 'fish', 'powershell'])('the script for %s asks this program', async (shell) => {
  const { stdout, code } = await api.shell('completion', shell)
  expect(stdout).toContain('__complete')
  expect(code).toBe(0)
})

test('bash takes its script', async () => {
  const { stdout } = await api.shell('completion', 'bash')
  expect(execFileSync('bash', ['-c', `${stdout}\ncomplete -p lateen`], { encoding: 'utf8' })).toContain('-F _lateen lateen')
})
