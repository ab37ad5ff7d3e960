import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { inProcess } from '../../../testdata/in-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'lateen-diff-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const file = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const app = (name: string) => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: shop }
spec:
  selector: { matchLabels: { app: ${name} } }
  template: { metadata: { labels: { app: ${name} } }, spec: { containers: [{ name: app, image: app }] } }
`
const base = file('base.yaml', `${app('web')}---\n${app('cart')}`)
const istio = (kind: string, name: string, spec: unknown, group = 'networking.istio.io/v1') =>
  `${JSON.stringify({ apiVersion: group, kind, metadata: { name, namespace: 'shop' }, spec })}\n`
const slow = file(
  'slow.yaml',
  istio('DestinationRule', 'cart', { host: 'cart', trafficPolicy: { connectionPool: { tcp: { connectTimeout: '3s' } } } }),
)
const narrow = file(
  'narrow.yaml',
  istio('Sidecar', 'default', { workloadSelector: { labels: { app: 'web' } }, egress: [{ hosts: ['./web.shop.svc.cluster.local'] }] }),
)

const diff = (...argv: string[]) => inProcess(['diff', '--base', base, ...argv], { LATEEN_HOME: folder, HOME: folder })

describe('what a change does to proxies', () => {
  test('is told by resource and field, with the object that is the cause', async () => {
    const { changed, proxies } = JSON.parse((await diff('-f', slow, '-o', 'json')).stdout)
    expect(proxies).toBe(2)
    const ofWeb = changed.find((group: { proxies: string[] }) => group.proxies[0]?.startsWith('web'))
    expect(ofWeb.changes).toContainEqual(
      expect.objectContaining({
        type: 'cluster',
        name: 'outbound|80||cart.shop.svc.cluster.local',
        change: 'changed',
        causes: ['DestinationRule shop/cart'],
        differences: expect.arrayContaining([{ path: 'connectTimeout', before: '10s', after: '3s' }]),
      }),
    )
  })

  test('is told of what goes, with the cause too', async () => {
    const { stdout } = await diff('-f', narrow)
    expect(stdout).toMatch(/^web[^\n]*shop:\nTYPE +NAME +CHANGE +BY\n/)
    expect(stdout).toMatch(/cluster +outbound\|80\|\|cart\.shop\.svc\.cluster\.local +removed +Sidecar shop\/default\n/)
    expect(stdout).not.toMatch(/^cart/m)
  })

  test('is nothing when nothing changes, and says by its exit code when something does', async () => {
    expect(await diff('--base', slow, '-f', slow, '--exit-code')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^no change/) })
    expect(await diff('-f', slow, '--exit-code')).toMatchObject({ code: 1 })
    expect((await diff('--base', slow, '-f', slow, '--delete')).stdout).toContain('connectTimeout: 3s -> 10s')
  })

  test('of an object that is refused is nothing, and why is said', async () => {
    const wrong = file(
      'wrong.yaml',
      istio('DestinationRule', 'cart', { host: 'cart', trafficPolicy: { connectionPool: { tcp: { connectTimeout: 'soon' } } } }),
    )
    const { stdout, stderr } = await diff('-f', wrong)
    expect(stdout).toMatch(/^no change/)
    expect(stderr).toMatch(/^DestinationRule shop\/cart: spec\.trafficPolicy\.connectionPool\.tcp\.connectTimeout: /)
  })

  test.each([
    [[], /name the files/],
    [['-f', slow, 'nobody.shop'], /there are web.*, cart/],
    [['-f', slow, '-n', 'elsewhere'], /no pod of namespace elsewhere/],
  ])('with %j says what is missing', async (argv, says) => {
    const { stderr, code } = await diff(...argv)
    expect(stderr).toMatch(says)
    expect(code).not.toBe(0)
  })
})
