/**
 * How long commands take. Processor time is asserted, the wall clock is printed: other work on the machine changes only the latter. On
 * a machine at rest the two are nearly the same.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LATEEN } from '../harness/mesh.ts'
import { must } from '../harness/run.ts'

const OBJECTS = 1_000
const RUNS = 3
const folder = mkdtempSync(join(tmpdir(), 'lateen-speed-'))

beforeAll(async () => {
  // Whatever must be prepared is prepared now.
  await must(LATEEN, ['version', '--remote=false'], { timeoutMs: 120_000 })
}, 150_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The best of several runs, in milliseconds. */
async function best(...args: string[]): Promise<{ cpu: number; wall: number }> {
  const measured: { cpu: number; wall: number }[] = []
  for (let run = 0; run < RUNS; run++) {
    const script = 'TIMEFORMAT="%R %U %S"; { time "$@" >/dev/null 2>&1; } 2>&1'
    const text = await must('bash', ['-c', script, '-', LATEEN, ...args], { timeoutMs: 60_000 })
    const [wall = 0, user = 0, system = 0] = text
      .trim()
      .split(' ')
      .map((seconds) => Number(seconds) * 1000)
    measured.push({ cpu: user + system, wall })
  }
  const found = { cpu: Math.min(...measured.map(({ cpu }) => cpu)), wall: Math.min(...measured.map(({ wall }) => wall)) }
  console.log(`lateen ${args.join(' ').slice(0, 60)}: ${found.wall.toFixed(0)} ms, of these ${found.cpu.toFixed(0)} ms of the processor`)
  return found
}

test('the version is told within 150 ms', async () => {
  expect((await best('version', '--remote=false')).cpu).toBeLessThan(150)
}, 60_000)

test('a command loads its own code, not the whole product', async () => {
  const coverage = join(folder, 'coverage')
  await must(LATEEN, ['version', '--remote=false'], { env: { ...process.env, NODE_V8_COVERAGE: coverage } })
  const urls = readdirSync(coverage).flatMap((name) => {
    const report: { result: { url: string }[] } = JSON.parse(readFileSync(join(coverage, name), 'utf8'))
    return report.result.map(({ url }) => url)
  })
  const loaded = urls.filter((url) => url.startsWith('file:')).reduce((sum, url) => sum + statSync(fileURLToPath(url)).size, 0)
  expect(loaded).toBeGreaterThan(0)
  expect(loaded).toBeLessThan(700 * 1024)
}, 60_000)

test('1,000 services with a VirtualService each are analyzed within 2 s', async () => {
  const objects = Array.from(
    { length: OBJECTS },
    (_, index) => `apiVersion: v1
kind: Service
metadata: { name: app-${index}, namespace: shop }
spec: { selector: { app: app-${index} }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: app-${index}, namespace: shop }
spec:
  hosts: [app-${index}]
  http:
    - match: [{ uri: { prefix: /v2 } }]
      route: [{ destination: { host: app-${index} } }]
    - route:
        - { destination: { host: app-${index} }, weight: 90 }
        - { destination: { host: app-${(index + 1) % OBJECTS} }, weight: 10 }
`,
  )
  const file = join(folder, 'objects.yaml')
  writeFileSync(file, objects.join('---\n'))
  expect((await best('analyze', '--use-kube=false', '-n', 'shop', file)).cpu).toBeLessThan(2_000)
}, 120_000)
