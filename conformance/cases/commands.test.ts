/** Commands about a running mesh, as an operator types them. */
import { beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { deployShop } from '../harness/fixtures.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../harness/mesh.ts'

describeWithMesh('commands', (mesh) => {
  beforeAll(async () => {
    if (!whySkipped()) await deployShop(mesh())
  })

  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await mesh().lateen(...args)
    expect(stderr).toBe('')
    expect(code).toBe(0)
    return stdout
  }

  describe('proxy-config', () => {
    test('shows the clusters of a workload by the names that kubectl takes', async () => {
      const text = await ok(
        'proxy-config',
        'clusters',
        'deployment/curl.shop',
        '--fqdn',
        'hello.shop.svc.cluster.local',
        '--direction',
        'outbound',
      )
      const [headings, ...rows] = text.trim().split('\n').map(cells)
      expect(headings).toEqual(['SERVICE FQDN', 'PORT', 'SUBSET', 'DIRECTION', 'TYPE', 'DESTINATION RULE'])
      expect(rows).toContainEqual(['hello.shop.svc.cluster.local', '5000', '-', 'outbound', 'EDS', 'hello.shop'])
      expect(rows).toContainEqual(['hello.shop.svc.cluster.local', '5000', 'v1', 'outbound', 'EDS', 'hello.shop'])
    })

    test('gives what it shows as data', async () => {
      const clusters: unknown = JSON.parse(await ok('pc', 'c', 'deploy/curl', '-n', 'shop', '--subset', 'v1', '-o', 'json'))
      expect(clusters).toEqual([expect.objectContaining({ name: 'outbound|5000|v1|hello.shop.svc.cluster.local', type: 'EDS' })])
    })

    test('shows listeners, routes, endpoints and certificates', async () => {
      expect(await ok('pc', 'l', 'deploy/curl.shop', '--port', '15006')).toContain('0.0.0.0')
      expect(await ok('pc', 'r', 'deploy/curl.shop', '--name', '5000')).toContain('hello.shop.svc.cluster.local')
      expect(await ok('pc', 'ep', 'deploy/curl.shop', '--cluster', 'outbound|5000||hello.shop.svc.cluster.local')).toContain('HEALTHY')
      const [headings, ...rows] = (await ok('pc', 's', 'deploy/curl.shop')).trim().split('\n').map(cells)
      expect(headings?.slice(0, 4)).toEqual(['RESOURCE NAME', 'TYPE', 'STATUS', 'VALID CERT'])
      expect(rows.map((row) => row.slice(0, 4))).toEqual(
        expect.arrayContaining([
          ['default', 'Cert Chain', 'ACTIVE', 'true'],
          ['ROOTCA', 'CA', 'ACTIVE', 'true'],
        ]),
      )
    })

    test('shows endpoints with their localities, and whether two proxies trust the same root', async () => {
      expect(await ok('pc', 'eds', 'deploy/curl.shop', '--port', '5000')).toMatch(
        /^NAME +STATUS +LOCALITY +CLUSTER *\n(.+:5000 +HEALTHY .*outbound\|5000\|.*hello\.shop\.svc\.cluster\.local\n)+$/,
      )
      expect(await ok('pc', 'rootca-compare', 'deploy/curl.shop', 'deploy/hello-v1.shop')).toMatch(
        /^Both \[.*\] and \[.*\] have the identical ROOTCA/,
      )
    })

    test('sets levels of loggers', async () => {
      expect(await ok('pc', 'log', 'deploy/curl.shop', '--level', 'http:debug,router:trace')).toMatch(
        / {2}http: debug\n[\s\S]* {2}router: trace\n/,
      )
      expect(await ok('pc', 'log', 'deploy/curl.shop', '--reset')).toContain('  http: warning\n')
    })

    test.each([
      [['pc', 'c', 'crul.shop'], /there is no pod "crul" in namespace "shop"; see: kubectl get pods -n shop/],
      [['pc', 'c', 'deploy/crul.shop'], /there is no deployment "crul" in namespace "shop"/],
      [['pc', 'c', 'deploy/istiod.istio-system'], /has no proxy: it was not injected/],
      [['pc', 'c'], /no pod: give \[<type>\/\]<name>\[\.<namespace>\], or --file/],
    ])('%j says what is wrong and what next', async (args, says) => {
      const { code, stdout, stderr } = await mesh().lateen(...args)
      expect(stderr).toMatch(says)
      expect(stderr.trim().split('\n')).toHaveLength(1)
      expect(stdout).toBe('')
      expect(code).not.toBe(0)
    })
  })

  describe('proxy-status', () => {
    test('lists every proxy with the state of each type', async () => {
      const rows = await eventually(async () => {
        const found = (await ok('proxy-status', '-n', 'shop', '-v', '1')).trim().split('\n').map(cells)
        return found.slice(1).every((row) => row.slice(2, 5).every((cell) => cell.startsWith('SYNCED'))) ? found : false
      })
      const headings = rows === false ? [] : (rows[0] ?? [])
      expect(headings.slice(0, 7)).toEqual(['NAME', 'CLUSTER', 'CDS', 'LDS', 'EDS', 'RDS', 'ECDS'])
      expect(headings.slice(-2)).toEqual(['ISTIOD', 'VERSION'])
      expect(rows !== false && rows.slice(1).map(([name]) => name)).toContainEqual(await podName(mesh(), 'curl'))
    })

    test('finds no difference between what was sent and what is held', async () => {
      const match = /^Clusters Match\nListeners Match\nRoutes Match \(RDS last loaded at \w{3}, \d\d .*\)\n$/
      await eventually(async () => match.test(await ok('ps', 'deploy/curl.shop')))
    })
  })
})

const cells = (line: string): string[] => line.split(/ {2,}/)

async function podName(mesh: Mesh, app: string): Promise<string> {
  const name = await mesh.kubectl('get', 'pods', '-n', 'shop', '-l', `app=${app}`, '-o', 'jsonpath={.items[0].metadata.name}')
  return `${name}.shop`
}
