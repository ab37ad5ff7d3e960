/**
 * An API server that does not answer as it should: every command that asks it ends in the time of `--kubeclient-timeout`, and says in one
 * line what is wrong and what to do.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inProcess } from '../../testdata/in-process.ts'
import { ALL_WAYS, startUnwellApi, type UnwellApi, type Way } from '../../testdata/unwell-api.ts'

const COMMANDS: readonly (readonly string[])[] = [
  ['analyze'],
  ['analyze', '-A', '-o', 'json'],
  ['proxy-status'],
  ['proxy-status', 'cart.shop'],
  ...['all', 'bootstrap', 'cluster', 'ecds', 'endpoint', 'listener', 'log', 'route', 'secret'].map((part) => [
    'proxy-config',
    part,
    'cart.shop',
  ]),
  ['proxy-config', 'cluster', 'deployment/cart.shop'],
  ['proxy-config', 'rootca-compare', 'cart.shop', 'till.shop'],
  ['x', 'describe', 'pod', 'cart.shop'],
  ['x', 'describe', 'service', 'cart.shop'],
  ['x', 'authz', 'check', 'cart.shop'],
  ['x', 'authz', 'explain', '--from', 'deployment/cart.shop', 'GET', 'http://till.shop/'],
  ['x', 'wait', '--for=distribution', 'VirtualService', 'cart.shop'],
  ['x', 'metrics', 'cart.shop'],
  ['x', 'envoy-stats', 'cart.shop'],
  ['x', 'internal-debug', 'syncz'],
  ['x', 'injector', 'list'],
  ['x', 'check-inject', 'cart.shop'],
  ['x', 'precheck'],
  ['x', 'explain', '--from', 'deployment/cart.shop', 'GET', 'http://till.shop/'],
  ['x', 'suggest-scope', '-n', 'shop'],
  ['x', 'workload', 'entry', 'configure', '--name', 'machines', '--namespace', 'shop', '-o', '/nonexistent'],
  ['authn', 'tls-check', 'cart.shop'],
  ['ztunnel-config', 'workload'],
  ['ztunnel-config', 'all'],
  ['waypoint', 'list'],
  ['waypoint', 'status'],
  ['waypoint', 'apply', '-n', 'shop'],
  ['tag', 'list'],
  ['tag', 'set', 'prod', '--revision', '1-30'],
  ['tag', 'remove', 'prod', '-y'],
  ['remote-clusters'],
  ['create-remote-secret', '--name', 'other'],
  ['admin', 'log'],
  ['ca', 'status'],
  ['ca', 'rotate'],
  ['bug-report', '--dry-run'],
  ['dashboard', 'grafana', '--browser=false'],
  ['dashboard', 'envoy', 'cart.shop', '--browser=false'],
  ['dashboard', 'controlz', 'istiod-1.istio-system', '--browser=false'],
  ['kube-inject', '-f', '/dev/null'],
]

/** Longer than any wait that is asked for here, on a machine that has other things to do, and shorter than the usual one. */
const IN_TIME_MS = 10_000

/** Whoever answers at once is given time to. */
const WAIT: Partial<Record<Way, string>> = { 'accepts connections and says nothing': '500ms', 'answers byte by byte, without end': '500ms' }

/** What is told for each way to go wrong: what is the matter, and what to do. */
const SAID: Readonly<Record<Way, RegExp>> = {
  'accepts connections and says nothing': /no answer in time; check that the address is right/,
  'answers byte by byte, without end': /no answer in time; check that the address is right.*no whole answer within 500 ms/,
  'resets connections': /it ended the connection; try again/,
  'ends its answer in the middle': /it ended the connection; try again/,
  'has a certificate that nobody vouches for': /its certificate is not trusted; set certificate-authority-data/,
  'does not know the caller': /does not accept the credentials; they are missing, wrong or expired: log in again/,
  'permits nothing': /things is forbidden: User "me" cannot do anything/,
  'has an error of its own': /Internal error occurred: etcdserver: request timed out/,
  'is the page of a proxy in between': /is not the Kubernetes API; check the server field .* It said: Sign in/,
  'is the error page of a proxy in between': /answered 502 Bad Gateway 502 Bad Gateway x x x/,
}

describe.each(ALL_WAYS)('an API server that %s', (way) => {
  let api: UnwellApi
  beforeAll(async () => {
    api = await startUnwellApi(way)
  })
  afterAll(() => api.close())

  const ask = async (...argv: readonly string[]) => {
    const began = performance.now()
    const ran = await inProcess([...argv, '--kubeclient-timeout', WAIT[way] ?? '9s'], api.env)
    return { ...ran, took: performance.now() - began }
  }

  test.concurrent.each(COMMANDS.map((argv) => [argv.join(' '), argv] as const))(
    '%s ends in time, with one line of what is wrong',
    async (_, argv) => {
      const { code, stdout, stderr, took } = await ask(...argv)
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toMatch(/^Error: [^\n]+\n$/)
      expect(stderr).toMatch(SAID[way])
      expect(took).toBeLessThan(IN_TIME_MS)
    },
  )

  test('check gives its answer, with what is wrong in it', async () => {
    const { code, stdout, stderr, took } = await ask('check', '-o', 'json')
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    const { state, groups } = JSON.parse(stdout)
    expect({ state, names: groups.map(({ name }: { name: string }) => name) }).toEqual({ state: 'error', names: ['Kubernetes'] })
    expect(groups[0].results[0].detail).toMatch(SAID[way])
    expect(groups[0].results[0].hint).not.toBe('')
    expect(took).toBeLessThan(IN_TIME_MS)
  })

  test('version tells its own', async () => {
    const { code, stdout, stderr, took } = await ask('version')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^client version: \S+\n$/)
    expect(took).toBeLessThan(IN_TIME_MS)
  })
})
