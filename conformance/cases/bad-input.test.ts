/** Bad input: one clear message that names the place and the remedy, and a mesh that stays as it was. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { deployShop, versionOf, virtualService } from '../harness/fixtures.ts'
import { describeWithMesh, LATEEN, newMesh, stopMesh, whySkipped } from '../harness/mesh.ts'
import { must, run } from '../harness/run.ts'
import { callGateway, countAnswers } from '../harness/traffic.ts'

const HOST = 'shop.example'
const good = virtualService(
  'front',
  `  hosts: [${HOST}]\n  gateways: [front]\n  http:\n    - route: [{ destination: { host: hello, port: { number: 5000 }, subset: v1 } }]\n`,
)

interface BadObject {
  readonly what: string
  readonly yaml: string
  /** What the message must name. */
  readonly says: RegExp
}

const BAD_OBJECTS: readonly BadObject[] = [
  { what: 'an unknown field', yaml: good.replace('gateways:', 'gatewayz:'), says: /gatewayz/ },
  {
    what: 'a wrong type',
    yaml: good.replace('number: 5000', 'number: "many"'),
    says: /spec\.http\[0\]\.route\[0\]\.destination\.port\.number/,
  },
  {
    what: 'an unknown kind',
    yaml: good.replace('kind: VirtualService', 'kind: VirtuaService'),
    says: /no matches for kind "VirtuaService"/,
  },
  { what: 'YAML with tabs', yaml: good.replace('  http:', '\thttp:'), says: /line \d+|tab|cannot start any token/i },
  { what: 'weights that are not positive', yaml: good.replace('subset: v1 }', 'subset: v1 }, weight: -5'), says: /weight/ },
  {
    what: 'a route without a destination',
    yaml: good.replace('{ destination: { host: hello, port: { number: 5000 }, subset: v1 } }', '{ weight: 5 }'),
    says: /destination/,
  },
]

describeWithMesh('bad objects', (mesh) => {
  beforeAll(async () => {
    if (whySkipped()) return
    await deployShop(mesh())
    await mesh().apply(good)
    await eventually(async () => (await callGateway(mesh(), { host: HOST, path: '/hello' })).status === 200)
  })

  test.each(BAD_OBJECTS)('$what is refused with its place, and the mesh serves as before', async ({ yaml, says }) => {
    const { code, output } = await mesh().tryKubectl(['apply', '-f', '-'], { stdin: yaml })
    expect(code, output).not.toBe(0)
    expect(output).toMatch(says)
    expect(
      await mesh().kubectl('get', 'virtualservice', 'front', '-n', 'shop', '-o', 'jsonpath={.spec.http[0].route[0].destination.subset}'),
    ).toBe('v1')
    expect(await countAnswers(mesh(), 10, { host: HOST, path: '/hello' }, versionOf)).toEqual({ v1: 10 })
  })

  test('an image that is not in the catalogue is reported on the pod, with what to do', async () => {
    await mesh().kubectl('create', 'deployment', 'stranger', '--image=example.com/never/heard-of:1', '-n', 'default')
    await eventually(async () => {
      const said = await mesh().kubectl('describe', 'pod', '-l', 'app=stranger', '-n', 'default')
      expect(said).toContain('heard-of')
      expect(said).toMatch(/catalogue/)
    })
    await mesh().kubectl('delete', 'deployment', 'stranger', '-n', 'default')
  })
})

describe('lateen up', () => {
  test.skipIf(whySkipped())('names the process that has the port', async () => {
    const mesh = await newMesh()
    const holder = await listen(mesh.httpPort)
    try {
      const { code, output } = await mesh.lateen('up', '--detach', '--gateway-port', String(mesh.httpPort))
      expect(code).toBe(1)
      expect(output).toContain(`127.0.0.1:${mesh.httpPort}`)
      expect(output).toContain(String(process.pid))
      expect(output).toContain('--gateway-port')
    } finally {
      holder.close()
      await stopMesh(mesh)
    }
  })

  test('says how to supply Envoy when the named one is no Envoy', async () => {
    const mesh = await newMesh()
    const fake = join(mkdtempSync(join(tmpdir(), 'lateen-e2e-envoy-')), 'envoy')
    writeFileSync(fake, '#!/bin/sh\necho "envoy version: 0123abcd/1.2.3/Clean/RELEASE/BoringSSL"\n')
    chmodSync(fake, 0o755)
    const { code, output } = await run(LATEEN, ['up', '--detach', '--envoy', fake], { env: mesh.env })
    expect(code).toBe(1)
    expect(output).toContain('1.2.3')
    expect(output).toContain('1.40.0')
    expect(output).toContain('ENVOY_PATH')
    await stopMesh(mesh)
  })

  test.each([
    [['upp'], /unknown command 'upp'[\s\S]*Did you mean/],
    [['up', '--detatch'], /unknown option '--detatch'[\s\S]*Did you mean --detach/],
    [['up', '--api-port', 'many'], /--api-port/],
    [['up', '--api-port', '70000'], /70000/],
  ])('%j is wrong usage: exit code 64', async (args, says) => {
    const { code, output } = await run(LATEEN, args)
    expect(output).toMatch(says)
    expect(code).toBe(64)
  })

  test('a full disk is called that, and nothing is left running', async (context) => {
    const reason = whySkipped()
    if (reason) return context.skip(reason)
    const folder = mkdtempSync(join(tmpdir(), 'lateen-e2e-disk-'))
    await must('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder])
    try {
      const { code, output } = await run(LATEEN, ['up', '--detach', '--home', join(folder, 'home')])
      expect(code).toBe(1)
      expect(output).toContain('the disk is full')
      expect(output).toContain('--home')
      expect((await run(LATEEN, ['status', '--home', join(folder, 'home')])).stdout).toContain('down')
    } finally {
      await must('umount', [folder])
      rmSync(folder, { recursive: true })
    }
  })

  test('where namespaces are not allowed, that is said with a remedy', async (context) => {
    const reason = whySkipped()
    if (reason) return context.skip(reason)
    const folder = mkdtempSync(join(tmpdir(), 'lateen-e2e-ns-'))
    const script = `echo 0 > /proc/sys/user/max_net_namespaces && exec ${LATEEN} up --detach --home ${folder}/home`
    const { code, output } = await run('unshare', ['--user', '--map-root-user', '--net', 'sh', '-c', script])
    expect(code, output).toBe(1)
    expect(output).toContain('may not make namespaces')
    expect(output).toContain('remedy')
    rmSync(folder, { recursive: true })
  })

  test('a home that cannot be written is named with a remedy', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'lateen-e2e-home-')), 'file')
    writeFileSync(file, '')
    const { code, output } = await run(LATEEN, ['up', '--detach', '--home', join(file, 'home')])
    expect(code).toBe(1)
    expect(output).toContain(file)
    expect(output).toContain('--home')
  })
})

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
