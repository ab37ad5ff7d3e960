/**
 * Every command line of istioctl in documents that teach Istio, run as it is written there, against a mesh in which the names that the
 * documents leave open stand for real pods. The list lies beside the checkout and is read from there.
 */
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { documents } from '../harness/echo.ts'
import { eventually } from '../harness/eventually.ts'
import { describeWithMesh, LATEEN, type Mesh, ROOT, whySkipped } from '../harness/mesh.ts'
import { run } from '../harness/run.ts'

const LIST = join(ROOT, '../shared/cases/seeds/commands.md')

/** What belongs to installing a mesh into a cluster of one's own; each says so. */
const LATER = /\bistioctl (install|uninstall|manifest|operator|x uninstall)\b/

interface Expectation {
  readonly line: RegExp
  readonly says: RegExp
  /** 0 when not given. */
  readonly code?: number
}

/** The first that fits a line is what it must do. */
const EXPECTED: readonly Expectation[] = [
  { line: /^check /, says: /^PASS/ },
  { line: /analyze/, says: /No validation issues found when analyzing/ },
  { line: /authn tls-check$/, says: /^Error: no pod: give /, code: 64 },
  { line: /authn tls-check/, says: /HOST:PORT|mTLS|STATUS/i },
  { line: /experimental describe pod/, says: /^Pod: pod-name/m },
  { line: /experimental wait/, says: /./ },
  { line: /kube-inject.*bookinfo/, says: /deployment.apps\/productpage-v1 (configured|unchanged|created)/ },
  { line: /kube-inject/, says: /deployment.apps\/[\w-]+ (configured|unchanged|created)/ },
  { line: /profile dump production/, says: /^Error: there is no profile "production"; there are ambient, default/, code: 65 },
  { line: /profile dump/, says: /^apiVersion: install.istio.io\/v1alpha1\nkind: IstioOperator\nspec:\n {2}components:/ },
  { line: /profile list/, says: /^Istio configuration profiles:\n {4}ambient/ },
  { line: /proxy-config all/, says: /cluster\/outbound\|.*\n(.*\n)*.*listener\// },
  { line: /proxy-config bootstrap/, says: /"bootstrap"/ },
  { line: /proxy-config cluster .*\| grep reviews/, says: /reviews\.default\.svc\.cluster\.local .*outbound/ },
  { line: /proxy-config cluster/, says: /^SERVICE FQDN +PORT +SUBSET +DIRECTION +TYPE +DESTINATION RULE/ },
  { line: /proxy-config endpoint/, says: /^ENDPOINT +STATUS +OUTLIER CHECK +CLUSTER/ },
  { line: /proxy-config listener/, says: /^ADDRESSES +PORT +MATCH +DESTINATION/ },
  { line: /proxy-config log/, says: /active loggers:\n(.*\n)* {2}http: debug/ },
  { line: /proxy-config route/, says: /^NAME +VHOST NAME +DOMAINS +MATCH +VIRTUAL SERVICE/ },
  { line: /proxy-config secret/, says: /^RESOURCE NAME +TYPE +STATUS +VALID CERT(.*\n)+default +Cert Chain +ACTIVE +true/ },
  { line: /proxy-status/, says: /^NAME +CLUSTER/ },
  { line: /verify-install/, says: /Control plane\n {2}ok/ },
  { line: /version --remote=false/, says: /^client version: \d+\.\d+\.\d+\n$/ },
  { line: /x precheck/, says: /No issues found|Warning|Info/ },
]

/** `- \`istioctl …\`` below the heading of istioctl. */
function commandLines(): string[] {
  if (!existsSync(LIST)) return []
  const text = readFileSync(LIST, 'utf8')
  const section = text.slice(text.indexOf('\n## istioctl'), text.indexOf('\n## kubectl'))
  return [...section.matchAll(/^- `(.+)`$/gm)].map(([, line = '']) => line)
}

const lines = commandLines()
const dashboards = lines.filter((line) => line.includes('istioctl dashboard'))
const later = lines.filter((line) => LATER.test(line))
/** A workload group comes before what is made for it; what replaces pods comes last. */
const rank = (line: string): number => (line.includes('workload group') ? 0 : line.includes('kube-inject') ? 2 : 1)
const others = lines.filter((line) => !dashboards.includes(line) && !later.includes(line)).sort((a, b) => rank(a) - rank(b))

const WEB_PORTS: Readonly<Record<string, number>> = { prometheus: 9090, grafana: 3000, jaeger: 16686, kiali: 20001 }

if (lines.length === 0) test.skip(`the command lines of the seeds: ${LIST} is not there`, () => undefined)
else
  describeWithMesh('the command lines of the seeds', (mesh) => {
    let place: Place

    beforeAll(async () => {
      if (whySkipped()) return
      place = await furnish(mesh())
    }, 150_000)
    afterAll(() => place?.remove())

    describe.each(dashboards)('%s', (line) => {
      test('opens a page of the pod', async () => {
        const page = await place.opened(line)
        const name = Object.keys(WEB_PORTS).find((each) => line.includes(`dashboard ${each}`))
        expect(page).toContain(name === undefined ? 'Envoy Admin' : `this is ${name}`)
      })
    })

    test.each(others)('%s', async (line) => {
      const { says, code = 0 } = EXPECTED.find((each) => each.line.test(line)) ?? { says: /^/ }
      const ran = await place.shell(line)
      expect(ran.output).toMatch(says)
      expect(ran.code, ran.output).toBe(code)
    })

    test.each(later)('%s is said to be no part of this version', async (line) => {
      const { code, stderr } = await place.shell(
        line
          .replace(/^.*?istioctl/, 'istioctl')
          .replace(/ \|.*| <<EOF/, '')
          .replace(/<[\w-]+>/, '192.0.2.1'),
      )
      expect(stderr).toMatch(/^Error: there is no command ".+": .*(install|operator)/i)
      expect(code).toBe(64)
    })
  })

interface Place {
  shell(line: string): ReturnType<typeof run>
  /** The page of a dashboard, which a browser was told to open. */
  opened(line: string): Promise<string>
  remove(): void
}

/** A folder with the files that the lines name, and the pods that they ask about. */
async function furnish(mesh: Mesh): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'seed-commands-'))
  const bin = join(folder, 'bin')
  const samples = join(ROOT, 'packages/runtime/samples/manifests')
  mkdirSync(bin)
  mkdirSync(join(folder, 'samples/bookinfo/platform/kube'), { recursive: true })
  const program = (name: string, text: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  program('istioctl', `exec ${LATEEN} "$@"`)
  program('xdg-open', `echo "$1" > ${join(folder, 'opened')}`)
  const bookinfo = readFileSync(join(samples, 'bookinfo.yaml'), 'utf8')
  writeFileSync(join(folder, 'samples/bookinfo/platform/kube/bookinfo.yaml'), bookinfo)
  for (const name of ['app', 'deployment']) writeFileSync(join(folder, `${name}.yaml`), readFileSync(join(samples, 'curl.yaml')))
  const env = { ...mesh.env, PATH: `${bin}:${process.env['PATH']}` }

  await mesh.kubectl('label', 'namespace', 'default', 'istio-injection=enabled')
  await mesh.apply(documents(namespace('production'), namespace('vm'), podNamed('pod-name'), deploymentNamed('api-service')))
  await mesh.apply(
    documents(deploymentNamed('api-service', 'default'), ...Object.entries(WEB_PORTS).map(([name, port]) => webPage(name, port))),
  )
  await mesh.apply(bookinfo)
  await mesh.rolledOut('productpage-v1')
  await mesh.rolledOut('api-service', 'production')
  await mesh.kubectl('wait', 'pod', 'pod-name', '-n', 'production', '--for=condition=Ready', '--timeout=60s')
  for (const name of Object.keys(WEB_PORTS))
    await mesh.kubectl('wait', 'pod', name, '-n', 'istio-system', '--for=condition=Ready', '--timeout=60s')
  await mesh.kubectl('create', 'serviceaccount', 'vm-sa', '-n', 'vm')
  const productpage = (await mesh.kubectl('get', 'pods', '-l', 'app=productpage', '-o', 'jsonpath={.items[0].metadata.name}')).trim()

  const named = (line: string) =>
    line.replace('productpage-v1-123456', productpage).replace('<pod-name>.<namespace>', `${productpage}.default`)
  const CHECK = 'check() { if eval "$2"; then echo PASS; else echo FAIL; fi; }'
  return {
    shell: (line) => run('bash', ['-c', `${CHECK}; ${named(line)}`], { env, cwd: folder, timeoutMs: 60_000 }),
    opened: (line) => openedPage(named(line), folder, env),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

async function openedPage(line: string, folder: string, env: NodeJS.ProcessEnv): Promise<string> {
  const mark = join(folder, 'opened')
  rmSync(mark, { force: true })
  const child = spawn('bash', ['-c', `exec ${line} --port 0`], { env, cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  try {
    const url = await eventually(() => existsSync(mark) && readFileSync(mark, 'utf8').trim())
    const page = await (await fetch(String(url))).text()
    child.kill('SIGINT')
    expect(await ended, 'the exit code after Ctrl-C').toBe(0)
    return page
  } finally {
    child.kill('SIGKILL')
  }
}

const namespace = (name: string) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'istio-injection': 'enabled' } } })
const IDLE = [{ name: 'app', image: 'curlimages/curl', command: ['/bin/sleep', 'infinity'] }]

const podNamed = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'production', labels: { app: name, version: 'v1' } },
  spec: { terminationGracePeriodSeconds: 0, containers: IDLE },
})

const deploymentNamed = (name: string, inNamespace = 'production') => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: inNamespace },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name, version: 'v1' } },
      spec: { terminationGracePeriodSeconds: 0, containers: IDLE },
    },
  },
})

/** What stands for an add-on: a pod with its labels, and a page on its port. */
function webPage(name: string, port: number) {
  const script = `require('http').createServer((q, s) => s.end('this is ${name}')).listen(${port})`
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'istio-system',
      labels: { app: name, 'app.kubernetes.io/name': name, 'sidecar.istio.io/inject': 'false' },
    },
    spec: { containers: [{ name, image: 'node', command: ['node', '-e', script] }] },
  }
}
