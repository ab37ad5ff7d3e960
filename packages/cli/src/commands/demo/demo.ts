/** `demo`: a mesh, Bookinfo in it, and its routing shown by counted requests. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { installation } from '../../installation.ts'
import { bringUp, type RunningMesh, UP_FLAGS } from '../../mesh/bring-up.ts'
import { takeDown } from '../../mesh/take-down.ts'
import { askMesh, listDeployments, notReadyPods } from '../../mesh/workloads.ts'
import { table } from '../../render/table.ts'
import { type Context, command } from '../../shell/command.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import { addresses } from '../mesh/up.ts'
import { send } from './requests.ts'
import { REVIEWS, SCENES, type Scene } from './scenes.ts'

const BOOKINFO = ['bookinfo.yaml', 'bookinfo-gateway.yaml', 'destination-rule-all.yaml']
const NAMESPACE = 'default'
const READY_WITHIN_MS = 120_000
const ARRIVES_WITHIN_MS = 20_000
const POLL_MS = 50

export const demo = command<undefined>({
  endsItself: true,
  help: 'Starts a mesh on this machine, runs the Bookinfo sample in it, and shows a split, a header match and a fault by real requests. The mesh stays up. With --once, checks what it shows, takes the mesh down and exits with 0 or 1.',
  flags: [{ name: 'once', help: 'check the results, take the mesh down, exit with 0 or 1' }, ...UP_FLAGS],
  examples: ['lateen demo', 'lateen demo --once'],
  run: async (context) => show(context),
})

async function* show(context: Context): AsyncGenerator<string> {
  const once = context.flags.on('once')
  const mesh = await bringUp(context)
  const problems: string[] = []
  try {
    yield* bookinfo(context, mesh)
    for (const scene of SCENES) yield* play(context, mesh, scene, problems)
  } finally {
    // A mesh that was there before is its user's.
    if (once && !mesh.alreadyRunning) await takeDown(mesh.home, { purge: false, progress: context.progress })
  }
  if (!once) yield nextSteps(mesh)
  if (problems.length > 0)
    throw new CommandError(`the demo did not show what it should:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
}

async function* bookinfo(context: Context, mesh: RunningMesh): AsyncGenerator<string> {
  const { progress } = context
  const folder = join(installation().samples, 'manifests')
  await kubectl(context, mesh, ['label', 'namespace', NAMESPACE, 'istio-injection=enabled', '--overwrite'])
  await kubectl(context, mesh, ['delete', 'virtualservice', 'reviews', 'ratings', '-n', NAMESPACE, '--ignore-not-found'])
  const applying = progress.step(`kubectl apply -f ${BOOKINFO.join(' -f ')}`)
  await kubectl(context, mesh, ['apply', '-n', NAMESPACE, ...BOOKINFO.flatMap((name) => ['-f', join(folder, name)])])
  applying.done()
  await workloadsReady(context, mesh)
  const step = progress.step('waiting for the first answer through the gateway')
  const port = mesh.state.ports.http
  await until(
    context,
    async () => (await send({ port, path: '/productpage' })).status === 200,
    () => `no answer with status 200 from http://127.0.0.1:${port}/productpage`,
  )
  step.done(`first 200 through the gateway after ${(performance.now() / 1000).toFixed(1)} s`)
  await until(
    context,
    async () => (await send({ port, path: REVIEWS })).status === 200,
    () => `no reviews from http://127.0.0.1:${port}${REVIEWS}`,
  )
  yield ''
}

async function* play(context: Context, mesh: RunningMesh, scene: Scene, problems: string[]): AsyncGenerator<string> {
  const port = mesh.state.ports.http
  const file = join(installation().root, 'packages/cli/demo', scene.manifest)
  const step = context.progress.step(`kubectl apply -f ${file}`)
  await kubectl(context, mesh, ['apply', '-n', NAMESPACE, '-f', file])
  const applied = performance.now()
  const arrived = await until(
    context,
    () => scene.arrived(port),
    () => `${scene.title}: the rule had no effect`,
  ).then(
    () => true,
    (error: Error) => {
      problems.push(error.message)
      return false
    },
  )
  if (arrived) step.done(`${scene.manifest} applied; seen in answers within ${Math.round(performance.now() - applied)} ms`)
  else step.fail()
  const { rows, note, problem } = await scene.show(port)
  if (problem && arrived) problems.push(`${scene.title}: ${problem}`)
  const lines = table(
    ['ANSWERS FROM', 'COUNT', 'WANTED'],
    rows.map(({ what, count, wanted }) => [what, String(count), wanted]),
  )
  yield `\n${scene.title}\n\n${lines.replace(/^/gm, '  ')}\n${note ? `  ${note}\n` : ''}\n`
}

async function workloadsReady(context: Context, mesh: RunningMesh): Promise<void> {
  const step = context.progress.step('waiting for Bookinfo')
  let left: readonly string[] = []
  let problems: readonly string[] = []
  const ready = () =>
    askMesh(mesh.home, async (client) => {
      const deployments = await listDeployments(client, NAMESPACE)
      left = deployments.filter(({ ready: now, wanted }) => now < wanted).map(({ name }) => name)
      problems = left.length > 0 ? await notReadyPods(client, NAMESPACE) : []
      step.update(left.join(', '))
      return deployments.length > 0 && left.length === 0
    })
  await until(
    context,
    ready,
    () => `not ready after ${READY_WITHIN_MS / 1000} s: ${left.join(', ')}\n${problems.join('\n')}`,
    READY_WITHIN_MS,
  )
  step.done('Bookinfo is ready, an Envoy beside each of its pods')
}

/** Asks until it is so. @throws CommandError with `complaint` when the time is over or the user stops it */
async function until(
  { signal }: Context,
  done: () => Promise<boolean>,
  complaint: () => string,
  withinMs = ARRIVES_WITHIN_MS,
): Promise<void> {
  const end = Date.now() + withinMs
  while (!(await done())) {
    if (signal.aborted) throw new CommandError('stopped; lateen down ends the mesh')
    if (Date.now() > end) throw new CommandError(complaint())
    await delay(POLL_MS)
  }
}

/** @throws CommandError with what kubectl said */
function kubectl({ env }: Context, { home }: RunningMesh, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('kubectl', args, { env: { ...env, KUBECONFIG: home.kubeconfig }, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4096)
    })
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve() : reject(new CommandError(`kubectl ${args.join(' ')}:\n${said.trim()}`))))
  })
}

function nextSteps(mesh: RunningMesh): string {
  const { http } = mesh.state.ports
  return [
    `${addresses(mesh)}`,
    '',
    'Bookinfo stays up. Go on with:',
    `  open         http://127.0.0.1:${http}/productpage`,
    `  look         kubectl get pods,virtualservices`,
    `  change       kubectl edit virtualservice reviews`,
    `  inside       kubectl exec deploy/productpage-v1 -c istio-proxy -- pilot-agent request GET clusters`,
    '',
  ].join('\n')
}
