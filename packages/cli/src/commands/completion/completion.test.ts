import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FakeApi, startFakeApi } from '../../../testdata/fake-api.ts'
import { inProcess } from '../../../testdata/in-process.ts'
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
    { apiVersion: 'v1', kind: 'Node', metadata: { name: 'worker' } },
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'shop' } },
    { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name: 'canary', namespace: 'shop' } },
    { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name: 'slow', namespace: 'other' } },
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'way', namespace: 'shop' },
      spec: { gatewayClassName: 'istio-waypoint' },
    },
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'edge', namespace: 'shop' },
      spec: { gatewayClassName: 'istio' },
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'w', labels: { 'istio.io/rev': 'canary', 'istio.io/tag': 'prod' } },
    },
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

  test('namespaces, contexts, nodes, revisions and tags', async () => {
    expect(await after('analyze', '-n', 's')).toEqual(['shop'])
    expect(await after('ztunnel-config', 'workload', '--workload-namespace', 'o')).toEqual(['other'])
    expect(await after('analyze', '--context', '')).toEqual(['x'])
    expect(await after('analyze', '--remote-contexts', '')).toEqual(['x'])
    expect(await after('ztunnel-config', 'log', '--node', '')).toEqual(['worker'])
    expect(await after('proxy-status', '-r', '')).toEqual(['canary'])
    expect(await after('version', '--xds-label', 'istio.io/rev=c')).toEqual(['istio.io/rev=canary'])
    expect(await after('tag', 'remove', '')).toEqual(['prod'])
  })

  test('workloads and services behind their type', async () => {
    expect(await after('pc', 'c', 'dep')).toEqual(['deployment/'])
    expect(await after('pc', 'c', '-n', 'shop', 'service/')).toEqual(['service/web'])
    expect(await after('x', 'describe', 'service', '-n', 'shop', '')).toEqual(['web'])
    expect(await after('pc', 'c', 'nothing/')).toEqual([])
  })

  test('kinds of configuration, then their objects, after a space or a slash', async () => {
    expect(await after('x', 'wait', 'virt')).toEqual(['virtualservice'])
    expect(await after('x', 'wait', 'virtualservice', '-n', 'shop', '')).toEqual(['canary', 'slow.other'])
    expect(await after('x', 'wait', '-n', 'shop', 'VirtualService/c')).toEqual(['VirtualService/canary'])
    expect(await after('x', 'wait', '-n', 'other', 'service/')).toEqual(['service/web.shop'])
    expect(await after('x', 'wait', '--proxy', 'web-9')).toEqual(['web-9.other'])
    expect(await after('waypoint', 'delete', '-n', 'shop', '')).toEqual(['way'])
    expect(await after('profile', 'dump', 'mini')).toEqual(['minimal'])
  })

  test('words that a flag knows, and levels behind their logger', async () => {
    expect(await after('pc', 'c', '--direction', '')).toEqual(['inbound', 'outbound'])
    expect(await after('analyze', '--failure-threshold', 'W')).toEqual(['Warning'])
    expect(await after('admin', 'log', '--level', 'd')).toEqual(['debug'])
    expect(await after('pc', 'log', 'web-1', '--level', 'http:warning,rbac:de')).toEqual(['http:warning,rbac:debug'])
    expect(await after('pc', 'log', 'web-1', '--level=rbac:de')).toEqual(['--level=rbac:debug'])
    expect(await after('pc', 'log', 'web-1', '--level', 'http:warning,rb')).toEqual([])
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

test.each([
  ['a command', 'lateen proxy-con', ['proxy-config']],
  ['nothing yet', 'lateen completion ', ['bash', 'fish', 'powershell', 'zsh']],
  ['a value after =', 'lateen check --output=js', ['json']],
  ['a value after = that is not begun', 'lateen check --output=', ['json', 'short', 'table', 'yaml']],
  ['a level after : in a value after =', 'lateen pc log web-1 --level=rbac:de', ['debug']],
])('bash: %s', async (_, line, wanted) => {
  const { stdout } = await api.shell('completion', 'bash')
  // What bash makes of the line: it cuts words at = and : too.
  const cut = line.split(/ +|(?<=[=:])|(?=[=:])/)
  const script = [
    stdout,
    `lateen() { shift 3; printf '%s\\0' "$@" > asked; cat answer; }`,
    `COMP_WORDS=(${cut.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${cut.length - 1}; COMP_LINE='${line}'; COMP_POINT=${line.length}`,
    '_lateen; printf "%s\\n" "${COMPREPLY[@]}"',
  ]
  // The words that the script asks about are answered here.
  const asked = line.split(' ').slice(1)
  writeFileSync(join(api.folder, 'answer'), `${(await after(...asked)).join('\n')}\n`)
  const run = ['-c', script.join('\n')]
  expect(execFileSync('bash', run, { encoding: 'utf8', cwd: api.folder }).trim().split('\n')).toEqual(wanted)
  expect(readFileSync(join(api.folder, 'asked'), 'utf8').split('\0').slice(0, -1)).toEqual(asked)
})

test('a cluster that does not answer, or is not there, is passed over in silence and soon', async () => {
  const silent = createServer(() => undefined)
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as AddressInfo
  const kubeconfig = join(api.folder, 'silent')
  const text = readFileSync(join(api.folder, 'kubeconfig'), 'utf8')
  const began = performance.now()
  for (const where of [`127.0.0.1:${port}`, '127.0.0.1:1']) {
    writeFileSync(kubeconfig, text.replace(/127\.0\.0\.1:\d+/, where))
    expect(await inProcess(['__complete', '--', 'pc', 'c', 'w'], { KUBECONFIG: kubeconfig })).toEqual({ code: 0, stdout: '', stderr: '' })
  }
  expect(performance.now() - began).toBeLessThan(8_000)
  silent.closeAllConnections()
  silent.close()
})

test('bash takes its script', async () => {
  const { stdout } = await api.shell('completion', 'bash')
  expect(execFileSync('bash', ['-c', `${stdout}\ncomplete -p lateen`], { encoding: 'utf8' })).toContain('-F _lateen lateen')
})
