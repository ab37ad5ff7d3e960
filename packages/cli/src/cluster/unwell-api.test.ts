/**
 * An API server that does not answer as it should: every command that asks it ends in the time of `--kubeclient-timeout`, and says in one
 * line what is wrong and what to do.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inProcess } from '../../testdata/in-process.ts'
import { ALL_WAYS, startUnwellApi, type UnwellApi } from '../../testdata/unwell-api.ts'

const COMMANDS: readonly (readonly string[])[] = [
  ['analyze'],
  ['analyze', '-A', '-o', 'json'],
  ['proxy-status'],
  ['proxy-status', 'cart.shop'],
  ...['all', 'bootstrap', 'cluster', 'ecds', 'endpoint', 'listener', 'log', 'route', 'secret'].map((part) => ['proxy-config', part, 'cart.shop']),
  ['proxy-config', 'cluster', 'deployment/cart.shop'],
  ['proxy-config', 'rootca-compare', 'cart.shop', 'till.shop'],
  ['version'],
  ['version', '-o', 'json'],
  ['check'],
  ['check', '-o', 'json'],
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
  ['dashboard', 'grafana', '--browser=false'],
  ['dashboard', 'envoy', 'cart.shop', '--browser=false'],
  ['dashboard', 'controlz', 'istiod-1.istio-system', '--browser=false'],
  ['kube-inject', '-f', '/dev/null'],
  ['test', '--help'],
]

describe.each(ALL_WAYS)('an API server that %s', (way) => {
  let api: UnwellApi
  beforeAll(async () => {
    api = await startUnwellApi(way)
  })
  afterAll(() => api.close())

  test.concurrent.each(COMMANDS.map((argv) => [argv.join(' '), argv] as const))('%s', async (_, argv) => {
    const began = performance.now()
    const { code, stdout, stderr } = await inProcess([...argv, '--kubeclient-timeout', '500ms'], api.env)
    const took = performance.now() - began
    process.stderr.write(`\n### ${way} | ${argv.join(' ')} | ${code} | ${took.toFixed(0)}\n--out ${stdout.slice(0, 600)}\n--err ${stderr.slice(0, 700)}\n`)
    expect(took).toBeLessThan(4_000)
  }, 8_000)
})
