/** From the first call of an application to its last, with both kinds of sidecars: nothing is lost at either end. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, connectEcho, documents, type Echo, echoApp, echoPod, echoService, podsReady } from '../harness/echo.ts'
import { eventually } from '../harness/eventually.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../harness/mesh.ts'

const NS = 'life'
const RECEIVER = `${NS}/receiver`
const REPLICAS = 2
const SOURCE = join(import.meta.dirname, '../fixtures/lifecycle/worker.ts')

/**
 * Sidecars among the init containers are kept up by Kubernetes as long as the app needs them; others hold the app back by a hook, and
 * outlive it by watching. Their drain is far shorter than the app's farewell.
 */
const MODES = {
  native: { 'sidecar.istio.io/nativeSidecar': 'true', 'proxy.istio.io/config': '{"terminationDrainDuration": "1s"}' },
  classic: {
    'sidecar.istio.io/nativeSidecar': 'false',
    'proxy.istio.io/config': '{"terminationDrainDuration": "1s", "holdApplicationUntilProxyStarts": true}',
  },
} as const
type Mode = keyof typeof MODES
const modes = Object.keys(MODES) as Mode[]

const metadata = (name: string) => ({ name, namespace: NS })

function worker(mode: Mode): string {
  const app = `worker-${mode}`
  const container = {
    name: 'worker',
    image: 'node',
    args: ['--max-old-space-size=48', '/app/worker.ts'],
    env: [
      { name: 'REPORT_URL', value: 'http://receiver' },
      { name: 'LINGER_MS', value: '2500' },
    ],
    ports: [{ containerPort: 8080 }],
    readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
    volumeMounts: [{ name: 'app', mountPath: '/app' }],
  }
  return documents({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadata(app),
    spec: {
      replicas: REPLICAS,
      strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: REPLICAS } },
      selector: { matchLabels: { app } },
      template: {
        metadata: { labels: { app }, annotations: MODES[mode] },
        spec: { containers: [container], volumes: [{ name: 'app', configMap: { name: 'worker' } }] },
      },
    },
  })
}

/** A Job whose containers are shell scripts; `fetch` of `http://receiver/WORD` is a call through its sidecar. */
function job(name: string, mode: Mode, scripts: { readonly init?: string; readonly main: string }): string {
  const container = (role: string, script: string) => ({ name: role, image: 'busybox', command: ['sh', '-ec', script] })
  return documents({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: metadata(name),
    spec: {
      backoffLimit: 0,
      template: {
        metadata: { labels: { app: name }, annotations: MODES[mode] },
        spec: {
          restartPolicy: 'Never',
          ...(scripts.init ? { initContainers: [container('before', scripts.init)] } : {}),
          containers: [container('main', scripts.main)],
        },
      },
    },
  })
}

const call = (path: string) => `curl -sSf -o /dev/null http://receiver/${path}`

describeWithMesh('an application and its sidecar', (mesh) => {
  let echo: Echo
  beforeAll(async () => {
    if (whySkipped()) return
    await mesh().apply(
      [
        documents(
          { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS, labels: { 'istio-injection': 'enabled' } } },
          { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('worker'), data: { 'worker.ts': readFileSync(SOURCE, 'utf8') } },
        ),
        echoApp(NS),
        echoPod({ name: 'driver', namespace: NS, inject: false }),
        echoPod({ name: 'client', namespace: NS }),
        echoPod({ name: 'receiver', namespace: NS }),
        echoService({ name: 'receiver', namespace: NS }),
      ].join(''),
    )
    await podsReady(mesh(), NS, ['driver', 'client', 'receiver'])
    echo = await connectEcho(mesh(), { namespace: NS, pod: 'driver' })
    await eventually(async () => expect(await echo.callOnce(`${NS}/client`, { url: 'http://receiver/' })).toMatchObject({ status: 200 }))
    await mesh().apply(modes.map((mode) => worker(mode) + echoService({ name: `worker-${mode}`, namespace: NS })).join(''))
    for (const mode of modes) await mesh().rolledOut(`worker-${mode}`, NS)
  })
  afterAll(() => echo?.close())

  const reports = async (word: string, mode: Mode) =>
    (await echo.received(RECEIVER, { path: `/${word}/worker-${mode}` })).map(({ path }) => path.split('/')[2] ?? '')

  describe.each(modes)('with a %s sidecar', (mode) => {
    test('the first call of an application succeeds: its proxy was ready before it started', async () => {
      const { items } = await pods(mesh(), `app=worker-${mode}`)
      for (const { status } of items)
        expect(status.containerStatuses?.map(({ restartCount }) => restartCount)).toEqual([0, 0].slice(0, mode === 'native' ? 1 : 2))
      expect((await reports('started', mode)).sort()).toEqual(items.map((pod) => pod.metadata.name).sort())
    })

    test('a rollout fails no request, lets long ones finish, and every old application can still make its last call', async () => {
      const old = (await pods(mesh(), `app=worker-${mode}`)).items.map((pod) => pod.metadata.name)
      const load = startCalls(echo, `http://worker-${mode}`)
      await eventually(() => load.answers().length > 50)
      await mesh().kubectl('rollout', 'restart', `deployment/worker-${mode}`, '-n', NS)
      await mesh().rolledOut(`worker-${mode}`, NS)
      // Each old pod reports as the last thing it does.
      await eventually(async () => expect((await reports('farewell', mode)).sort()).toEqual(old.sort()), { withinMs: 40_000 })
      await eventually(async () => expect((await pods(mesh(), `app=worker-${mode}`)).items).toHaveLength(REPLICAS))
      const answers = await load.stop()
      expect(failuresOf(answers)).toEqual([])
      const pending = answers.filter(({ ms }) => ms > HOLD_MS)
      expect(pending.length).toBeGreaterThan(4)
      expect(pending.some(({ headers }) => old.includes(String(headers['x-pod'])))).toBe(true)
      expect(pending.some(({ headers }) => !old.includes(String(headers['x-pod'])))).toBe(true)
    })

    test('a request that is under way when its pod is deleted is answered', async () => {
      const [first] = (await pods(mesh(), `app=worker-${mode}`)).items
      const address = first?.status.podIP
      const answer = echo.callOnce(`${NS}/client`, { url: `http://${address}:8080/?hold=4000` })
      await mesh().kubectl('delete', 'pod', first?.metadata.name ?? '', '-n', NS, '--wait=false')
      expect(await answer).toMatchObject({ status: 200, headers: { 'x-pod': first?.metadata.name } })
    })
  })

  test('a Job with a native sidecar ends when its work is done, and its init containers are in the mesh', async () => {
    await mesh().apply(job('done', 'native', { init: call('job-init'), main: call('job-main') }))
    await mesh().kubectl('wait', '--for=condition=Complete', 'job/done', '-n', NS, '--timeout=50s')
    expect(await echo.received(RECEIVER, { path: '/job-' })).toHaveLength(2)
    const [pod] = (await pods(mesh(), 'app=done')).items
    await eventually(async () =>
      expect((await pods(mesh(), 'app=done')).items[0]?.status.initContainerStatuses?.every((c) => c.state.terminated)).toBe(true),
    )
    expect(pod?.status.containerStatuses?.[0]?.state.terminated?.exitCode).toBe(0)
  })

  test('a Job with a native sidecar fails with the exit code of its work', async () => {
    await mesh().apply(job('failing', 'native', { main: 'exit 3' }))
    await mesh().kubectl('wait', '--for=condition=Failed', 'job/failing', '-n', NS, '--timeout=50s')
    const [pod] = (await pods(mesh(), 'app=failing')).items
    expect(pod?.status.containerStatuses?.[0]?.state.terminated?.exitCode).toBe(3)
  })

  test('a Job with a classic sidecar ends it by /quitquitquit', async () => {
    await mesh().apply(job('quitting', 'classic', { main: `${call('quitting')}; curl -sSf -X POST http://127.0.0.1:15020/quitquitquit` }))
    await mesh().kubectl('wait', '--for=condition=Complete', 'job/quitting', '-n', NS, '--timeout=50s')
    expect(await echo.received(RECEIVER, { path: '/quitting' })).toHaveLength(1)
  })
})

const HOLD_MS = 1500

/** Calls from the client until they are stopped: most short, on kept connections, and always some long ones. */
function startCalls(echo: Echo, url: string) {
  const answers: Answer[] = []
  let stopped = false
  const repeat = async (path: string, count: number, parallel: number) => {
    while (!stopped) answers.push(...(await echo.call(`${NS}/client`, { url: `${url}${path}`, count, parallel })))
  }
  const all = Promise.all([repeat('/?hold=20', 40, 4), repeat(`/?hold=${HOLD_MS}`, 2, 2)])
  // Its failure is the test's, when it asks for the answers.
  all.catch(() => undefined)
  return {
    answers: () => answers,
    stop: async () => {
      stopped = true
      await all
      return answers
    },
  }
}

const failuresOf = (answers: readonly Answer[]) =>
  answers.filter(({ status }) => status !== 200).map(({ status, body, error }) => `${status} ${error ?? body}`)

interface ContainerStatus {
  readonly restartCount: number
  readonly state: { readonly terminated?: { readonly exitCode: number } }
}

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly deletionTimestamp?: string }
    readonly status: {
      readonly podIP?: string
      readonly containerStatuses?: readonly ContainerStatus[]
      readonly initContainerStatuses?: readonly ContainerStatus[]
    }
  }[]
}

async function pods(mesh: Mesh, selector: string): Promise<PodList> {
  return JSON.parse(await mesh.kubectl('get', 'pods', '-n', NS, '-l', selector, '-o', 'json'))
}
