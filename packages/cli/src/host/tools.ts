/**
 * Programs of the operating system that a mesh on this machine needs: which are missing, and getting them.
 *
 * As root on Debian or Ubuntu they are installed; elsewhere one message names them all and the command to type.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { CommandError } from '../shell/exit-codes.ts'
import type { Progress } from '../shell/progress.ts'

interface Tool {
  readonly program: string
  /** Debian's package. */
  readonly package: string
  readonly for: string
  readonly rootlessOnly?: true
}

const TOOLS: readonly Tool[] = [
  { program: 'ip', package: 'iproute2', for: "pods' network interfaces" },
  { program: 'iptables', package: 'iptables', for: 'Services and traffic capture' },
  { program: 'iptables-restore', package: 'iptables', for: 'Services and traffic capture' },
  { program: 'nsenter', package: 'util-linux', for: 'entering pods' },
  { program: 'unshare', package: 'util-linux', for: 'making namespaces' },
  { program: 'mount', package: 'mount', for: "pods' file systems" },
  { program: 'curl', package: 'curl', for: 'the curl sample and trying things out' },
  { program: 'kubectl', package: 'kubernetes-client', for: 'talking to the mesh' },
  { program: 'newuidmap', package: 'uidmap', for: 'running without root', rootlessOnly: true },
]

const INSTALL_TIMEOUT_MS = 15 * 60_000

/** Where Debian keeps what users without root do not have on PATH. */
const EXTRA_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin']

export function missingTools(env: NodeJS.ProcessEnv, root: boolean): Tool[] {
  const folders = [...(env['PATH'] ?? '').split(delimiter), ...EXTRA_FOLDERS]
  return TOOLS.filter((tool) => !(tool.rootlessOnly && root) && !folders.some((folder) => runnable(join(folder, tool.program))))
}

/**
 * Makes sure that all tools are there.
 *
 * @throws CommandError naming all that are missing and how to install them
 */
export async function ensureTools(env: NodeJS.ProcessEnv, progress: Progress): Promise<void> {
  const root = process.getuid?.() === 0
  const missing = missingTools(env, root)
  if (missing.length === 0) return
  const packages = [...new Set(missing.map((tool) => tool.package))]
  if (!root || !existsSync('/usr/bin/apt-get')) throw new CommandError(explain(missing, packages))
  const step = progress.step(`installing ${packages.join(', ')} (apt-get)`)
  const aptEnv = { ...env, DEBIAN_FRONTEND: 'noninteractive' }
  await apt(['update', '-qq'], aptEnv)
  const said = await apt(['install', '-y', '-qq', '--no-install-recommends', ...packages], aptEnv)
  const still = missingTools(env, root)
  if (still.length > 0) {
    step.fail()
    throw new CommandError(`${explain(still, packages)}\napt-get said:\n${said}`)
  }
  step.done(`installed ${packages.join(', ')}`)
}

function explain(missing: readonly Tool[], packages: readonly string[]): string {
  const lines = missing.map(({ program, for: purpose }) => `  ${program} (${purpose})`)
  return `these programs are missing:\n${lines.join('\n')}\nInstall them, then run the same command again. On Debian or Ubuntu: sudo apt-get install ${packages.join(' ')}`
}

/** Runs apt-get and answers the last it said; what came of it is judged by whether the tools are there. */
function apt(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve) => {
    let said = ''
    const child = spawn('apt-get', args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: INSTALL_TIMEOUT_MS })
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-2048)
      })
    }
    child.on('error', (error) => resolve(error.message))
    child.on('close', () => resolve(said.trim()))
  })
}

function runnable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
