/** `ca rotate`: a new root for the mesh, phase by phase, while traffic goes on. */
import { type Cluster, withCluster } from '../../cluster/connect.ts'
import { type Context, command, HOME_FLAG, OUTPUT_FLAG } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { pause, readRecord, request } from './record.ts'
import { progressLine, type RotationReport, reportOf } from './report.ts'

interface Rotated {
  readonly message: string
  readonly root?: string
  readonly expires?: string
}

const LOOK_MS = 500

export const rotate = command<Rotated>({
  endsItself: true,
  help: `Changes the root of a mesh whose CA is its own. All proxies learn the new root before anything is signed by it, get new
certificates, and lose the old root last; no request fails meanwhile. The control plane does the work: this command shows how far it is, may
be interrupted, and shows a change that is under way when it is called again.`,
  flags: [
    { name: 'abort', help: 'goes back to the old root' },
    { name: 'force', help: 'ends the present phase without waiting for proxies that do not answer' },
    { name: 'wait', value: 'BOOL', choices: ['true', 'false'], default: 'true', help: 'whether to wait for the end' },
    { name: 'timeout', value: 'DURATION', type: 'duration', default: '30m', help: 'longest wait for the end' },
    ...KUBE_FLAGS,
    OUTPUT_FLAG,
    HOME_FLAG,
  ],
  examples: ['lateen ca rotate', 'lateen ca rotate --wait=false', 'lateen ca rotate --abort', 'lateen ca rotate --force'],
  run: (context) =>
    withCluster(context, async (cluster) => {
      const { flags, signal, progress } = context
      if (flags.on('abort') && flags.on('force')) throw new CommandError('give --abort or --force, not both', { exitCode: EXIT.usage })
      const action = flags.on('abort') ? 'abort' : flags.on('force') ? 'force' : 'rotate'
      const isUnderWay = (await readRecord(cluster)).rotation !== undefined
      if (action !== 'rotate' || !isUnderWay) progress.note(await request(cluster, action, signal))
      else progress.note('a change of the root is under way already')
      if (flags.text('wait') === 'false') return { message: 'see "lateen ca status" for how far it is' }
      return follow(cluster, context)
    }),
  render: ({ message }) => message,
})

async function follow(cluster: Cluster, { flags, signal, progress }: Context): Promise<Rotated> {
  const until = Date.now() + (flags.duration('timeout') ?? 0)
  let step: { readonly phase: string; readonly shown: ReturnType<typeof progress.step> } | undefined
  const show = (rotation: RotationReport) => {
    if (step?.phase !== rotation.phase) {
      step?.shown.done()
      step = { phase: rotation.phase, shown: progress.step(progressLine({ ...rotation, waitingFor: '' })) }
    }
    step.shown.update(progressLine(rotation))
  }
  for (;;) {
    const report = reportOf(await readRecord(cluster), Date.now())
    if (report && !report.rotation) {
      step?.shown.done()
      const { subject, expires } = report.root
      return { message: `the root is ${subject}, until ${expires}`, root: subject, expires }
    }
    if (report?.rotation) show(report.rotation)
    if (Date.now() > until) {
      step?.shown.fail()
      throw new CommandError(
        `not over yet: ${report?.rotation ? progressLine(report.rotation) : 'nothing is known'}. It goes on by itself; "lateen ca rotate" shows it again`,
      )
    }
    await pause(LOOK_MS, signal)
  }
}
