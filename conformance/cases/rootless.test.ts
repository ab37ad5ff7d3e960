/** A mesh of a user without rights: with a range of user ids (`newuidmap`), and with the one id that every user has. */
import { spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { deployShop, virtualService } from '../harness/fixtures.ts'
import { LATEEN, type Mesh, newMesh, whySkipped } from '../harness/mesh.ts'
import { must, run } from '../harness/run.ts'
import { callGateway, curlFromPod } from '../harness/traffic.ts'

interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

const user = whySkipped() ? undefined : ordinaryUser()
const reason = whySkipped() ?? whyNotAs(user)
const folder = reason ? '' : mkdtempSync(join(tmpdir(), 'lateen-path-'))

const STRICT = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: shop }
spec: { mtls: { mode: STRICT } }
`
const OUTSIDE = `apiVersion: v1
kind: Pod
metadata: { name: outside, namespace: default }
spec: { containers: [{ name: curl, image: curlimages/curl, command: [sleep, "3600"] }] }
`

if (reason || !user) test.skip(`a mesh without root: ${reason}`, () => undefined)
else
  describe.each([
    { how: 'by user id', path: process.env.PATH, says: undefined },
    { how: 'by mark, where newuidmap is missing', path: folder, says: 'socket mark 1337' },
  ])("a mesh without root, its proxies' traffic told $how", ({ path, says }) => {
    let mesh: Mesh
    beforeAll(async () => {
      if (path === folder) linkPrograms(folder, (name) => name !== 'newuidmap' && name !== 'newgidmap')
      // A checkout is prepared by its owner.
      await must(LATEEN, ['version'], { timeoutMs: 150_000 })
      mesh = await meshOf(user, path ?? '')
      const { code, output } = await mesh.lateen(
        'up',
        '--detach',
        '--api-port',
        String(mesh.apiPort),
        '--gateway-port',
        String(mesh.httpPort),
      )
      expect(code, output).toBe(0)
    })
    afterEach(({ task }) => {
      if (task.result?.state === 'fail') process.stderr.write(`home of the failed mesh: ${mesh.home}\n`)
    })
    afterAll(async () => {
      const { code, output } = await mesh.lateen('down')
      expect(code, output).toBe(0)
      await eventually(() => rmSync(mesh.home, { recursive: true, force: true }))
    })

    test('serves through the gateway, with mutual TLS between sidecars and plain text refused', async () => {
      await deployShop(mesh)
      await mesh.apply(
        virtualService(
          'front',
          '  hosts: [shop.example]\n  gateways: [front]\n  http:\n    - route: [{ destination: { host: hello, port: { number: 5000 } } }]\n',
        ),
      )
      await mesh.apply(`${STRICT}---\n${OUTSIDE}`)
      await mesh.kubectl('wait', '--for=condition=Ready', 'pod/outside', '--timeout=60s')
      await eventually(async () => expect(await callGateway(mesh, { host: 'shop.example', path: '/hello' })).toMatchObject({ status: 200 }))
      const [inside] = await curlFromPod(mesh, 'curl', 'http://hello:5000/hello', { namespace: 'shop' })
      expect(inside).toMatch(/^200 /)
      await eventually(async () => {
        const plain = await mesh.tryKubectl(['exec', 'outside', '--', 'curl', '-s', '-m', '5', 'http://hello.shop:5000/hello'])
        expect(plain.output).not.toContain('version')
        // 56: the connection was reset by the sidecar, which takes TLS alone.
        expect(plain.output).toContain('exit code 56')
      })
    })

    test('captures a pod and says by what it tells the traffic of the proxy', async () => {
      const log = await mesh.kubectl('logs', 'deploy/httpbin', '-n', 'shop', '-c', 'istio-init')
      expect(log).toContain('capture rules set up')
      if (says) expect(log).toContain(says)
      else expect(log).not.toContain('mark')
    })
  })

if (folder) afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The harness's mesh, whose command line runs as another user. */
async function meshOf({ uid, gid, name }: User, path: string): Promise<Mesh> {
  const mesh = await newMesh()
  chownSync(mesh.home, uid, gid)
  const env = { ...mesh.env, PATH: path, HOME: mesh.home, USER: name, LOGNAME: name }
  return { ...mesh, lateen: (...args) => run('setpriv', [...becoming({ uid, gid }), LATEEN, ...args], { env, timeoutMs: 200_000 }) }
}

function becoming({ uid, gid }: Pick<User, 'uid' | 'gid'>): string[] {
  return [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--inh-caps=-all', '--']
}

/** One who has a range of subordinate ids. */
function ordinaryUser(): User | undefined {
  const ranges = new Set(lines('/etc/subuid').map(([name]) => name))
  const [name, , uid, gid] = lines('/etc/passwd').find(([one = '', , id]) => ranges.has(one) && Number(id) >= 1000) ?? []
  return name === undefined ? undefined : { name, uid: Number(uid), gid: Number(gid) }
}

function lines(file: string): string[][] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(':'))
  } catch {
    return []
  }
}

function whyNotAs(one: User | undefined): string | undefined {
  if (!one) return 'no ordinary user has a range in /etc/subuid; useradd makes one'
  const { status } = spawnSync('setpriv', [...becoming(one), 'unshare', '--user', '--map-root-user', '--net', 'true'])
  if (status !== 0) return `user ${one.name} may not make user namespaces here`
  return spawnSync('setpriv', [...becoming(one), 'test', '-r', LATEEN]).status === 0
    ? undefined
    : `user ${one.name} may not read this checkout`
}

/** A folder that stands for PATH, with the programs of the real one that pass. */
function linkPrograms(into: string, passes: (name: string) => boolean): void {
  const linked = new Set<string>()
  for (const directory of (process.env.PATH ?? '').split(':')) {
    for (const name of programsIn(directory)) {
      if (linked.has(name) || !passes(name)) continue
      linked.add(name)
      symlinkSync(join(directory, name), join(into, name))
    }
  }
  spawnSync('chmod', ['755', into])
}

function programsIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
