/**
 * What this machine must have and allow for a mesh: missing programs are installed where that can be done, and everything else is said in
 * one message.
 *
 * As root on Debian or Ubuntu, `apt-get` installs; elsewhere the message has the command to type.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { checkHost, findProgram, type HostCheck } from '@lateen/runtime'
import { CommandError } from '../shell/exit-codes.ts'
import type { Progress } from '../shell/progress.ts'

export { progressOn } from '../shell/progress.ts'

/** Programs that the mesh itself does without, but not its samples and its user. */
const COMPANIONS = [
  { program: 'curl', package: 'curl', why: 'the curl image is this program' },
  { program: 'kubectl', package: 'kubernetes-client', why: 'it is how you talk to the mesh' },
] as const

const INSTALL_TIMEOUT_MS = 15 * 60_000

/** What is missing now; warnings are left out. */
export function missingOnHost(env: NodeJS.ProcessEnv): HostCheck[] {
  const companions = COMPANIONS.filter(({ program }) => !findProgram(program, env)).map(
    ({ program, package: name, why }): HostCheck => ({
      name: program,
      state: 'missing',
      message: `${program} is not installed; ${why}`,
      remedy: `apt-get install ${name}`,
      package: name,
    }),
  )
  return [...checkHost().filter(({ state }) => state === 'missing'), ...companions]
}

/**
 * Resolves when the machine has all that a mesh needs.
 *
 * @throws CommandError naming everything that is missing, each with its remedy
 */
export async function prepareHost(env: NodeJS.ProcessEnv, progress: Progress): Promise<void> {
  let missing = missingOnHost(env)
  const packages = packagesOf(missing)
  let said = ''
  if (packages.length > 0 && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    const step = progress.step(`installing ${packages.join(', ')} (apt-get)`)
    said = await aptInstall(packages, env)
    missing = missingOnHost(env)
    if (missing.length === 0) step.done(`installed ${packages.join(', ')}`)
    else step.fail()
  }
  if (missing.length > 0) throw new CommandError(explain(missing, said))
}

function packagesOf(missing: readonly HostCheck[]): string[] {
  return [...new Set(missing.map((check) => check.package).filter((name) => name !== undefined))]
}

function explain(missing: readonly HostCheck[], said: string): string {
  const packages = packagesOf(missing)
  const lines = missing.map(({ message, remedy, package: name }) => `  ${message}${name ? '' : `; remedy: ${remedy}`}`)
  const install = packages.length > 0 ? [`On Debian or Ubuntu: sudo apt-get install ${packages.join(' ')}`] : []
  const apt = said ? [`apt-get said: ${said}`] : []
  return ['this machine cannot run a mesh yet:', ...lines, ...install, ...apt].join('\n')
}

async function aptInstall(packages: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const aptEnv = { ...env, DEBIAN_FRONTEND: 'noninteractive' }
  await apt(['update', '-qq'], aptEnv)
  return apt(['install', '-y', '-qq', '--no-install-recommends', ...packages], aptEnv)
}

/** Answers the last that apt-get said; what came of it is judged by whether the programs are there. */
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
