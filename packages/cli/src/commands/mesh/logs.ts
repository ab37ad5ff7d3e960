/** `logs [component]`: of the supervisor's children, of istiod and the gateway, or of any pod by its workload's name. */
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { homeAt } from '../../mesh/home.ts'
import { type LogFile, logFiles } from '../../mesh/log-files.ts'
import { table } from '../../render/table.ts'
import { command, HOME_FLAG } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'

export const logs = command<readonly LogFile[]>({
  endsItself: true,
  help: 'Prints the log of a component: supervisor, cluster, or any pod by the start of NAMESPACE/NAME. Without a component, lists what there is.',
  args: [{ name: 'component', help: 'supervisor, cluster, istiod, istio-system/istiod, …', optional: true }],
  flags: [
    { name: 'follow', short: 'f', help: 'go on as the log grows' },
    { name: 'tail', value: 'LINES', type: 'integer', help: 'only the last lines' },
    HOME_FLAG,
  ],
  examples: ['lateen logs', 'lateen logs cluster --tail 50', 'lateen logs istiod -f'],
  async run({ args: [component], flags, home, signal }) {
    const files = logFiles(homeAt(home))
    if (component === undefined) return files
    const chosen = files.filter((file) => matches(file.component, component))
    if (chosen.length === 0) throw new CommandError(unknown(component, files, home), { exitCode: EXIT.data })
    return print(chosen, { follow: flags.on('follow'), tail: flags.integer('tail'), signal })
  },
  render: (files) =>
    files.length === 0
      ? 'no logs yet'
      : table(
          ['COMPONENT', 'FILE'],
          files.map(({ component, path }) => [component, path]),
        ),
})

function matches(component: string, wanted: string): boolean {
  return (
    component === wanted ||
    component.startsWith(`${wanted}/`) ||
    component.startsWith(`${wanted}-`) ||
    component.split('/')[1]?.startsWith(wanted) === true
  )
}

function unknown(component: string, files: readonly LogFile[], home: string): string {
  if (files.length === 0) return `there are no logs in ${home}; start a mesh with: lateen up`
  return `no component "${component}"; there are: ${[...new Set(files.map((file) => file.component))].join(', ')}`
}

interface PrintOptions {
  readonly follow: boolean
  readonly tail: number | undefined
  readonly signal: AbortSignal
}

const CHUNK = 64 * 1024
const POLL_MS = 250

async function* print(files: readonly LogFile[], { follow, tail, signal }: PrintOptions): AsyncGenerator<string> {
  const offsets = new Map(files.map(({ path }) => [path, tail === undefined ? 0 : tailOffset(path, tail)]))
  do {
    for (const { path, component } of files) {
      for (const text of readFrom(path, offsets)) yield files.length > 1 ? prefixed(component, text) : text
    }
    if (follow) await delay(POLL_MS, undefined, { signal }).catch(() => undefined)
  } while (follow && !signal.aborted)
}

function* readFrom(path: string, offsets: Map<string, number>): Generator<string> {
  const fd = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(CHUNK)
    for (;;) {
      const at = offsets.get(path) ?? 0
      const size = readSync(fd, buffer, 0, CHUNK, at)
      if (size === 0) return
      // Whole lines, unless one is longer than a chunk: two logs must not mix within a line.
      const end = buffer.subarray(0, size).lastIndexOf(10) + 1 || (size === CHUNK ? size : 0)
      if (end === 0) return
      offsets.set(path, at + end)
      yield buffer.toString('utf8', 0, end)
    }
  } finally {
    closeSync(fd)
  }
}

function prefixed(component: string, text: string): string {
  return text.replace(/^(?=.)/gm, `[${component}] `)
}

/** Where the last `lines` lines begin; looks at no more than the last MiB. */
function tailOffset(path: string, lines: number): number {
  const { size } = statSync(path)
  const start = Math.max(0, size - 1024 * 1024)
  const buffer = Buffer.alloc(size - start)
  const fd = openSync(path, 'r')
  readSync(fd, buffer, 0, buffer.length, start)
  closeSync(fd)
  let at = buffer.length
  for (let n = 0; n <= lines && at > 0; n++) at = buffer.lastIndexOf(10, Math.max(at - 1, 0))
  return start + (at < 0 ? 0 : Math.min(at + 1, buffer.length))
}
