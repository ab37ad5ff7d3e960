/** A whole report of a small mesh, as istioctl lays it out, and what each flag leaves out or changes. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FakeNode, fakeNode, makeNamespace, runPod } from '../../../testdata/fake-node.ts'
import { type RealApi, startRealApi } from '../../../testdata/real-api.ts'

const KEY = '-----BEGIN PRIVATE KEY-----\nunutterable\n-----END PRIVATE KEY-----\n'
const CORE = Buffer.alloc(300_000, 'memory of a proxy ')

const folder = mkdtempSync(join(tmpdir(), 'bug-report-'))
const node: FakeNode = fakeNode()
let api: RealApi
let istiod: Server

const create = (path: string, body: unknown) => api.client.request('POST', path, body)

beforeAll(async () => {
  istiod = createServer(({ url = '' }, response) => {
    response.end(
      url === '/version'
        ? '1.30.3-lateen-Clean'
        : url === '/debug/syncz'
          ? '[{"proxy":"web.shop","istio_version":"1.30.3"}]'
          : `page ${url}`,
    )
  })
  await new Promise<void>((resolve) => istiod.listen(0, '127.0.0.1', resolve))
  api = await startRealApi([], node.backend)
  for (const name of ['istio-system', 'shop', 'other']) await makeNamespace(api.client, name)
  await runPod(api.client, { name: 'istiod-1', namespace: 'istio-system', labels: { app: 'istiod' }, containers: ['discovery'] })
  const containers = ['web', 'istio-proxy']
  for (const namespace of ['shop', 'other']) await runPod(api.client, { name: 'web', namespace, labels: { app: 'web' }, containers })
  const restarted = { containerStatuses: [{ name: 'web', restartCount: 2 }] }
  await api.client.request(
    'PATCH',
    '/api/v1/namespaces/shop/pods/web/status',
    { status: restarted },
    { contentType: 'application/merge-patch+json' },
  )
  await create('/api/v1/namespaces/shop/secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'keep' },
    stringData: { 'tls.key': KEY, word: 'unutterable' },
  })
  await create('/api/v1/namespaces/shop/configmaps', {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'careless' },
    data: { key: KEY },
  })
  node.pods.set('istio-system/istiod-1', {
    ports: { 15014: (istiod.address() as AddressInfo).port },
    logs: { discovery: 'info all is well\nerror lost the way\n' },
  })
  node.pods.set('shop/web', {
    logs: { web: `started with ${KEY}`, 'istio-proxy': 'critical certificate has expired\n' },
    run: ([program = '', ...args]) => {
      if (program === 'pilot-agent') return { stdout: `answer to ${args.join(' ')}` }
      if (program === 'netstat') return { stdout: 'tcp 0 0 127.0.0.1:15000\n' }
      if (program === 'find') return { stdout: '/var/lib/istio/data/core.proxy.7\n/etc/core.passwd\n/var/lib/istio/data/core.proxy.8\n' }
      if (program === 'cat' && args[0] === '/var/lib/istio/data/core.proxy.7') return { stdout: CORE }
      return { exitCode: 1, stderr: `${program}: permission denied` }
    },
  })
  // An image without programs.
  node.pods.set('other/web', { logs: {}, run: ([program]) => (program === 'pilot-agent' ? { stdout: 'x' } : undefined) })
}, 60_000)

afterAll(async () => {
  istiod.close()
  await api.close()
  rmSync(folder, { recursive: true, force: true })
}, 30_000)

async function report(...flags: string[]) {
  const target = mkdtempSync(join(folder, 'r-'))
  const ran = await api.shell('bug-report', '--output-dir', target, '--dir', join(target, 'kept'), ...flags)
  expect(ran.code, ran.stderr).toBe(0)
  const archive = join(target, 'bug-report.tar.gz')
  expect(ran.stdout).toBe(`${archive}\n`)
  execFileSync('tar', ['xzf', archive, '-C', target])
  expect(readdirSync(join(target, 'kept'))).toEqual([])
  const root = join(target, 'bug-report')
  return {
    root,
    stderr: ran.stderr,
    text: (path: string) => readFileSync(join(root, path), 'utf8'),
    has: (path: string) => existsSync(join(root, path)),
  }
}

test('everything is in its place, and no key with it', async () => {
  const { root, text, stderr } = await report()
  expect(readdirSync(root).sort()).toEqual(['analyze', 'cluster', 'istio', 'proxies', 'summary.txt', 'versions'])
  expect(readdirSync(join(root, 'cluster')).sort()).toEqual([
    ...['cluster-context', 'crs', 'describe-pods', 'events', 'k8s-resources', 'kubectl-version', 'nodes', 'secrets'],
  ])
  expect(readdirSync(join(root, 'proxies/shop/web')).sort()).toEqual([
    ...[
      'certs',
      'clusters',
      'config_dump',
      'cores',
      'istio-proxy.log',
      'listeners',
      'memory',
      'netstat',
      'runtime',
      'server_info',
      'stats',
    ],
    'web.log',
  ])
  expect(text('versions')).toMatch(/control plane istiod-1, revision default: 1\.30\.3\nproxies with version 1\.30\.3: 1\n/)
  expect(text('istio/istio-system/istiod-1/debug/syncz')).toContain('web.shop')
  expect(text('istio/istio-system/istiod-1/discovery.log')).toContain('all is well')
  expect(text('proxies/shop/web/config_dump')).toBe('answer to request GET config_dump?include_eds')
  expect(text('proxies/shop/web/stats/prometheus')).toContain('stats/prometheus')
  expect(text('proxies/shop/web/netstat')).toContain('127.0.0.1:15000')
  expect(readFileSync(join(root, 'proxies/shop/web/cores/0.core'))).toEqual(CORE)
  expect(text('proxies/shop/web/web.log')).toMatch(/before the last restart follows.*\n/)
  expect(text('cluster/secrets')).toContain('name: keep')
  expect(text('cluster/k8s-resources')).toContain('name: careless')
  for (const word of ['unutterable', Buffer.from('unutterable').toString('base64')]) {
    expect(() => execFileSync('grep', ['-r', word, root])).toThrow()
  }
  expect(stderr).toContain('1 core dump is in the archive')
})

test('what could not be had is told, an image without programs apart from faults', async () => {
  const { text } = await report()
  const summary = text('summary.txt')
  expect(summary).toMatch(
    /Not collected:\nproxies\/shop\/web\/cores\/1\.core \(\/var\/lib\/istio\/data\/core\.proxy\.8\): cat: permission denied\n/,
  )
  expect(summary).toMatch(
    /Not to be had from these images:\nproxies\/other\/web\/cores: the image has no find\nproxies\/other\/web\/netstat: /,
  )
  expect(summary).not.toContain('core.passwd')
})

test('each flag leaves out what it says', async () => {
  const skips = ['--skip-analyze', '--skip-cluster-dump', '--skip-proxy-debug', '--skip-netstat', '--skip-coredumps']
  node.ran.length = 0
  const { root, stderr } = await report(...skips, '--exclude', 'other', '--exclude', '/////web')
  expect(readdirSync(root).sort()).toEqual(['istio', 'proxies', 'summary.txt', 'versions'])
  expect(readdirSync(join(root, 'proxies'))).toEqual(['shop'])
  expect(readdirSync(join(root, 'proxies/shop/web'))).toEqual(['istio-proxy.log'])
  expect(node.ran).toEqual([])
  expect(stderr).not.toContain('core dump')
})

test('errors of logs are critical or not as the user says', async () => {
  const { text } = await report('--skip-cluster-dump', '--critical-errs', 'certificate*expired', '--ignore-errs', 'lost the*')
  expect(text('summary.txt')).toContain(
    'proxies/shop/web/istio-proxy.log: 1 critical, 0 other errors\n    critical certificate has expired',
  )
  expect(text('summary.txt')).not.toContain('discovery.log')
})

test('logs are those of the time and the length that is wanted, with the log before a restart', async () => {
  const skips = ['--skip-analyze', '--skip-cluster-dump', '--skip-proxy-debug', '--skip-netstat', '--skip-coredumps', '--include', 'shop']
  const optionsOf = async (...flags: string[]) => {
    node.logged.length = 0
    await report(...skips, ...flags)
    return node.logged.filter(({ container }) => container === 'web').map(({ options }) => options)
  }
  const wanted = { tailLines: 5, sinceTime: '2026-01-31T11:00:00.000Z', timestamps: true, follow: false }
  expect(await optionsOf('--tail', '5', '--duration', '1h', '--end-time', '2026-01-31T12:00:00Z')).toEqual([
    expect.objectContaining({ ...wanted, previous: false }),
    expect.objectContaining({ ...wanted, previous: true }),
  ])
  const [since] = await optionsOf('--start-time', '2026-01-31T13:00:00+01:00')
  expect(since).toMatchObject({ sinceTime: '2026-01-31T12:00:00.000Z' })
  expect(since).not.toHaveProperty('tailLines')
})

test('the control plane is that of the namespace that is named', async () => {
  const { stdout } = await api.shell('bug-report', '--dry-run', '--istio-namespace', 'shop')
  expect(stdout).not.toContain('istio/istio-system')
  expect((await api.shell('bug-report', '--dry-run')).stdout).toContain('istio/istio-system/istiod-1/discovery.log')
})

test('a dry run lists what would be collected', async () => {
  node.ran.length = 0
  const { stdout } = await api.shell('bug-report', '--dry-run', '--include', 'shop', '--output-dir', join(folder, 'never'))
  expect(stdout.split('\n')).toEqual(expect.arrayContaining(['cluster/secrets', 'proxies/shop/web/netstat', 'proxies/shop/web/cores']))
  expect(stdout).not.toContain('proxies/other')
  expect(node.ran).toEqual([])
  expect(existsSync(join(folder, 'never'))).toBe(false)
})

test('a file says what no flag does', async () => {
  const file = join(folder, 'settings.yaml')
  writeFileSync(file, 'include: [other]\nfullSecrets: true\ncriticalErrors: [lost]\ncommandTimeout: 5m\nsince: 1h\n')
  const { has, text } = await report('-f', file)
  expect([has('proxies/other'), has('proxies/shop')]).toEqual([true, false])
  expect(text('cluster/secrets')).toContain(Buffer.from('unutterable').toString('base64'))
  expect(text('summary.txt')).toContain('discovery.log: 1 critical')
  expect((await report('-f', file, '--include', 'shop')).has('proxies/shop')).toBe(true)
  writeFileSync(file, 'inlcude: [other]\n')
  expect(await api.shell('bug-report', '-f', file)).toMatchObject({
    code: 65,
    stderr: expect.stringContaining('there is no field "inlcude"'),
  })
})

test.each([
  [['--start-time', 'yesterday'], '--start-time yesterday: a time such as'],
  [['--start-time', '2026-01-31T12:00:00Z', '--duration', '1h'], 'exclude each other'],
  [['--start-time', '2026-01-31T12:00:00Z', '--end-time', '2026-01-30T12:00:00Z'], '--start-time is after --end-time'],
])('%j is refused', async (flags, message) => {
  expect(await api.shell('bug-report', ...flags)).toMatchObject({ code: 64, stderr: expect.stringContaining(message) })
})

test('when the time is over, what is there is written', async () => {
  const { text } = await report('--timeout', '1ms')
  expect(text('summary.txt')).toContain('the time for the report was over')
})
