/** `x explain` and `test` on the example of the documentation. */
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { TREE } from '../commands/tree.ts'
import { runShell } from '../shell/shell.ts'
import { parseLogLine } from './access-log.ts'
import { meaningsOf } from './response-flags.ts'

const root = resolve(import.meta.dirname, '../../../..')
const example = join(root, 'docs/examples/testing-routes')
const bookinfo = join(root, 'packages/runtime/samples/manifests/bookinfo.yaml')

async function lateen(...argv: string[]) {
  let stdout = ''
  let stderr = ''
  const streams = { stdout: { write: (text: string) => void (stdout += text) }, stderr: { write: (text: string) => void (stderr += text) } }
  const env = { LATEEN_HOME: '/nowhere', KUBECONFIG: '/nowhere/kubeconfig' }
  const code = await runShell(argv, { tree: TREE, foreign: [], env, streams, signal: new AbortController().signal })
  return { code, stdout: stdout.replaceAll(`${root}/`, ''), stderr }
}

const files = ['-f', bookinfo, '-f', join(example, 'reviews.yaml')]
const from = ['--from', 'deployment/productpage-v1']

describe('lateen test', () => {
  test('the example of the documentation passes and reaches every route', async () => {
    const { code, stdout } = await lateen('test', '-f', join(example, 'cases.yaml'), '--min-coverage', '100')
    expect(stdout).toContain('5 passed, 0 failed; 4 of 4 routes reached (100 %)')
    expect(code).toBe(0)
  })

  test('a case that fails names the difference and the object that decided', async () => {
    const { code, stdout } = await lateen('test', '-f', join(import.meta.dirname, 'testdata/failing-cases.yaml'), ...files)
    expect(stdout).toContain('weights: reviews/v1 gets 80 %, 90 % was expected')
    expect(stdout).toContain('decided by VirtualService default/reviews spec.http[2] (docs/examples/testing-routes/reviews.yaml:')
    expect(stdout).toContain('not reached: VirtualService default/reviews spec.http[0] (docs/examples/testing-routes/reviews.yaml:')
    expect(stdout).toContain('there are details-v1.default, ')
    expect(code).toBe(1)
  })

  test('results as JUnit XML name every case', async () => {
    const { stdout } = await lateen('test', '-f', join(import.meta.dirname, 'testdata/failing-cases.yaml'), ...files, '-o', 'junit')
    expect(stdout).toContain('<testsuites tests="2" failures="2">')
    expect(stdout).toContain('name="shares &lt;are&gt; &quot;others&quot;"')
  })

  test('a field that does not exist is named', async () => {
    const { code, stderr } = await lateen('test', '-f', join(import.meta.dirname, 'testdata/unknown-field.yaml'), ...files)
    expect(stderr).toContain('cases[0].expect has no field "wieghts"; it has destination, weights')
    expect(code).toBe(65)
  })
})

describe('lateen x explain', () => {
  test('names the route that decides, and where it is written', async () => {
    const { code, stdout } = await lateen('x', 'explain', ...files, ...from, 'http://reviews:9080/reviews/0', '-H', 'end-user: jason')
    expect(stdout).toContain('reaches reviews.default.svc.cluster.local, subset v2')
    expect(stdout).toContain('<- VirtualService default/reviews spec.http[1].match[0] (docs/examples/testing-routes/reviews.yaml:')
    expect(stdout).toContain('<- DestinationRule default/reviews (docs/examples/testing-routes/reviews.yaml:1)')
    expect(stdout).toContain('taken with mutual TLS')
    expect(code).toBe(0)
  })

  test('shares, the rewritten request and headers are data', async () => {
    const { stdout } = await lateen('x', 'explain', ...files, ...from, 'GET', 'http://reviews:9080/', '-o', 'json')
    const report = JSON.parse(stdout) as { branches: { percent: number; result: string }[] }
    expect(report.branches.map(({ percent, result }) => [percent, result])).toEqual([
      [80, 'reaches reviews.default.svc.cluster.local, subset v1'],
      [20, 'reaches reviews.default.svc.cluster.local, subset v3'],
    ])
  })

  test('an unknown pod is answered with those that there are', async () => {
    const { code, stderr } = await lateen('x', 'explain', ...files, '--from', 'deploy/productpag-v1', 'http://reviews:9080/')
    expect(stderr).toContain('there is no deployment "productpag-v1" with pods in namespace "default"; there are details-v1.default')
    expect(code).toBe(65)
  })

  test('a line of an access log is explained with the objects behind it', async () => {
    const line =
      '[2026-05-01T10:00:00.000Z] "GET /reviews/0 HTTP/1.1" 503 UH no_healthy_upstream - "-" 0 19 0 - "-" "curl/8" "id" "reviews:9080" "-" outbound|9080|v1|reviews.default.svc.cluster.local - 198.18.0.3:9080 198.19.0.6:40000 - everyone'
    const { stdout } = await lateen('x', 'explain', ...files, ...from, '--log', line)
    expect(stdout).toContain('the cluster had no healthy endpoint')
    expect(stdout).toContain('DestinationRule default/reviews (docs/examples/testing-routes/reviews.yaml:1)')
    expect(stdout).toContain('the same request now:')
  })
})

describe('lines of an access log', () => {
  test('are read as text and as JSON alike', () => {
    const text =
      '[2026-05-01T10:00:00.000Z] "POST /a?b=c HTTP/2" 403 - rbac_access_denied_matched_policy[ns[shop]-policy[deny]-rule[0]] - "-" 1 19 3 2 "10.0.0.9" "agent with words" "abc" "cart:80" "10.0.0.2:8080" inbound|8080|| 127.0.0.6:1 10.0.0.2:8080 10.0.0.1:5 outbound_.80_._.cart.shop.svc.cluster.local default'
    const fields = {
      method: 'POST',
      path: '/a?b=c',
      status: 403,
      authority: 'cart:80',
      upstreamCluster: 'inbound|8080||',
      durationMs: 3,
      routeName: 'default',
    }
    expect(parseLogLine(text)).toMatchObject({ ...fields, details: 'rbac_access_denied_matched_policy[ns[shop]-policy[deny]-rule[0]]' })
    const json = {
      ...{ method: 'POST', path: '/a?b=c', response_code: 403, response_flags: '-', authority: 'cart:80' },
      ...{ upstream_cluster: 'inbound|8080||', duration: 3, route_name: 'default', upstream_host: null },
    }
    expect(parseLogLine(JSON.stringify(json))).toMatchObject({ ...fields, upstreamHost: '', flags: '' })
    expect(parseLogLine('hello')).toBeUndefined()
  })

  test('every flag that users meet has a meaning, causes and a remedy', () => {
    const flags = 'UH UF UO NR URX NC DT DC LH UT LR UR UC DI FI RL UAEX RLSE IH SI DPE UPE UMSDR OM DF DO DR'.split(' ')
    expect(meaningsOf(flags.join(',')).map(({ flag }) => flag)).toEqual(flags)
    for (const { causes, fix } of meaningsOf(flags.join(','))) expect([causes.length > 0, fix !== '']).toEqual([true, true])
  })
})
