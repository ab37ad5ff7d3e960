/** `analyze` and `validate` from the command line: files, thresholds, exit codes, and a cluster that refuses one kind. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runShell } from '../../shell/shell.ts'
import { TREE } from '../tree.ts'

const folder = mkdtempSync(join(tmpdir(), 'lateen-analyze-'))
const path = (name: string) => join(folder, name)

const VIRTUAL_SERVICE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart]
  gateways: [gone]
  http: [{route: [{destination: {host: cart}}]}]
`

let server: Server
let url = ''

beforeAll(async () => {
  mkdirSync(path('nested/deeper'), { recursive: true })
  writeFileSync(path('vs.yaml'), VIRTUAL_SERVICE)
  writeFileSync(path('nested/deeper/vs.yaml'), VIRTUAL_SERVICE)
  writeFileSync(path('nested/readme.md'), 'nothing')
  writeFileSync(path('broken.yaml'), VIRTUAL_SERVICE.replace('[gone]', '7'))
  writeFileSync(path('typo.yaml'), VIRTUAL_SERVICE.replace('hosts', 'host'))
  server = createServer((request, response) => {
    const isRefused = request.url?.includes('/secrets') === true
    const items = request.url?.includes('/virtualservices')
      ? [
          {
            metadata: { name: 'live', namespace: 'shop' },
            spec: { hosts: ['a'], gateways: ['gone'], http: [{ route: [{ destination: { host: 'a' } }] }] },
          },
        ]
      : []
    response.writeHead(isRefused ? 403 : 200, { 'content-type': 'application/json' })
    const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Forbidden', message: 'you may not', code: 403 }
    response.end(JSON.stringify(isRefused ? status : { kind: 'List', apiVersion: 'v1', metadata: {}, items }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  url = typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : ''
  writeFileSync(
    path('kubeconfig'),
    JSON.stringify({
      'current-context': 'x',
      clusters: [{ name: 'x', cluster: { server: url } }],
      contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
      users: [{ name: 'x', user: {} }],
    }),
  )
})

afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

async function shell(...argv: string[]) {
  let stdout = ''
  let stderr = ''
  const streams = { stdout: { write: (text: string) => void (stdout += text) }, stderr: { write: (text: string) => void (stderr += text) } }
  const code = await runShell(argv, { tree: TREE, foreign: [], env: { HOME: folder }, streams, signal: new AbortController().signal })
  return { code, stdout, stderr }
}

const files = (...argv: string[]) => shell('analyze', '--use-kube=false', '-A', ...argv)

describe('analyze of files', () => {
  test('names code, object and line, and ends with 79', async () => {
    const { code, stdout } = await files(path('vs.yaml'))
    expect(stdout).toContain(`Error [IST0101] (VirtualService shop/cart ${path('vs.yaml')}:6) Referenced gateway not found: "gone"\n`)
    expect(code).toBe(79)
  })

  test.each<[string, string[], number, number]>([
    ['a machine form ends with 0', ['-o', 'json'], 0, 2],
    ['a higher output threshold hides warnings', ['-o', 'json', '--output-threshold', 'Error'], 0, 1],
    ['a suppression hides one code of one object', ['-o', 'json', '-S', 'IST0101=VirtualService *.shop'], 0, 1],
    ['another namespace hides all', ['-o', 'json', '-n', 'other', '--all-namespaces=false'], 0, 0],
    ['one analyzer', ['-o', 'json', '--analyzer', 'virtualservice.DestinationRuleAnalyzer'], 0, 0],
  ])('%s', async (_, argv, code, count) => {
    const result = await files(path('vs.yaml'), ...argv)
    expect({ code: result.code, count: JSON.parse(result.stdout).length }).toEqual({ code, count })
  })

  test('folders within folders are read when asked for', async () => {
    expect((await files(path('nested'))).stderr).toContain('No validation issues found')
    expect((await files('-R', path('nested'))).code).toBe(79)
  })

  test('an object that cannot be read is named with its line; a field that does not exist as well', async () => {
    const broken = await files(path('broken.yaml'))
    expect(broken.stderr).toContain(`${path('broken.yaml')}:6: VirtualService shop/cart: spec.gateways`)
    expect(broken.code).toBe(1)
    expect((await files('--ignore-unknown', path('broken.yaml'))).code).toBe(0)
    expect((await files(path('typo.yaml'))).stderr).toContain('spec.host: unknown field; did you mean "hosts"?')
  })

  test.each([
    ['no-file.yaml', 1],
    ['-S=IST0101', 64],
    ['--output-threshold=Grave', 64],
  ])('%s ends with %i', async (argument, code) => {
    expect((await files(path('vs.yaml'), argument)).code).toBe(code)
  })
})

describe('analyze of a cluster', () => {
  test('reads all kinds; one that is refused is said, and the rest is analysed', async () => {
    const { code, stdout, stderr } = await shell('analyze', '-A', '-c', path('kubeconfig'))
    expect(stderr).toMatch(/cannot read secrets: .*you may not/)
    expect(stdout).toContain('Error [IST0101] (VirtualService shop/live) Referenced gateway not found: "gone"')
    expect(code).toBe(79)
  })

  test('that does not answer is one line', async () => {
    writeFileSync(
      path('dead'),
      JSON.stringify({
        ...{ 'current-context': 'x' },
        clusters: [{ name: 'x', cluster: { server: 'http://127.0.0.1:9' } }],
        contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
        users: [{ name: 'x', user: {} }],
      }),
    )
    const { code, stderr } = await shell('analyze', '-A', '-c', path('dead'))
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(code).toBe(1)
  })
})

describe('validate', () => {
  test('says that a file is valid', async () => {
    expect(await shell('validate', '-f', path('vs.yaml'))).toEqual({ code: 0, stdout: '', stderr: `"${path('vs.yaml')}" is valid\n` })
  })

  test('names object, field and line of what would be refused', async () => {
    const { code, stderr } = await shell('validate', '-f', path('typo.yaml'))
    expect(stderr).toMatch(/Error: \d errors? occurred:\n\t\* VirtualService\/shop\/cart: .*typo\.yaml:\d+\)/)
    expect(code).toBe(1)
  })

  test.each([
    ['a port of UDP', 'spec: {ports: [{protocol: UDP}]}', 0],
    ["a service of the control plane's own", 'metadata: {name: a, namespace: istio-system}\nspec: {ports: [{name: odd}]}', 0],
    ['a port whose name tells no protocol', 'spec: {ports: [{name: odd, port: 80}]}', 1],
  ])('a Service needs no apiVersion: %s', async (_, rest, expected) => {
    writeFileSync(path('service.yaml'), `kind: Service\n${rest.startsWith('metadata') ? '' : 'metadata: {name: a}\n'}${rest}\n`)
    const { code, stderr } = await shell('validate', '-f', path('service.yaml'))
    expect(code).toBe(expected)
    expect(stderr).toContain('apiVersion is missing; write apiVersion: v1')
  })

  test('with -x, what objects say about each other counts', async () => {
    expect((await shell('validate', '-x', '-f', path('vs.yaml'))).code).toBe(1)
  })
})
