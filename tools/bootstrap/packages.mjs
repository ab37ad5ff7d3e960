/** The npm packages of the lock file, among them the Node that everything runs on. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** Whether node_modules holds what the lock file names, for this kind of machine. */
export function packagesAreCurrent(root) {
  const wanted = lockedPackages(join(root, 'package-lock.json'))
  const installed = lockedPackages(join(root, 'node_modules/.package-lock.json'))
  if (!wanted)
    throw new Error(`${join(root, 'package-lock.json')} is missing or is not JSON; restore it with: git checkout package-lock.json`)
  if (!installed || !existsSync(pinnedNode(root))) return false
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith('node_modules/') || entry.link) return true
    const have = installed[path]
    return have ? have.version === entry.version && have.integrity === entry.integrity : entry.optional === true
  })
}

/** The Node of the lock file, by this machine's architecture. */
export function pinnedNode(root) {
  return join(root, `node_modules/node-linux-${process.arch}/bin/node`)
}

/**
 * `npm ci`. Install scripts stay off: no package of ours needs one, and each would be code of a stranger run as the user.
 *
 * @throws Error with npm's own last lines when npm fails
 */
export async function installPackages(root) {
  if (process.platform !== 'linux')
    throw new Error(`Lateen runs on Linux; this is ${process.platform}. Use a Linux machine or a virtual one`)
  if (!['x64', 'arm64'].includes(process.arch)) throw new Error(`Lateen runs on x64 and arm64; this machine is ${process.arch}`)
  const since = Date.now()
  process.stderr.write('lateen: installing npm packages (npm ci) …\n')
  const { code, output } = await npm(root, [
    'ci',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--engine-strict=false',
  ])
  if (code !== 0 || !existsSync(pinnedNode(root))) {
    // A half-made tree would look complete to nobody, but it would hide the next attempt's cause.
    if (code !== 0) rmSync(join(root, 'node_modules/.package-lock.json'), { force: true })
    throw new Error(
      `npm ci did not finish (exit ${code}). What it said:\n${essence(output)}\nCheck the network and npm's registry setting, then run the same command again`,
    )
  }
  process.stderr.write(`lateen: npm packages installed in ${((Date.now() - since) / 1000).toFixed(1)} s\n`)
}

function npm(cwd, args) {
  return new Promise((resolve) => {
    let output = ''
    const child = spawn('npm', args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    const keep = (chunk) => {
      output = (output + chunk).slice(0, 64 * 1024)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', (error) =>
      resolve({
        code: 127,
        output: error.code === 'ENOENT' ? 'npm is not on PATH; install it (on Debian: apt-get install npm)' : error.message,
      }),
    )
    child.on('close', (code) => resolve({ code: code ?? 1, output }))
  })
}

/** npm says the cause first and its usage after that. */
function essence(output) {
  const lines = output.split('\n').map((line) => line.replace(/^npm (error|ERR!) ?/, '').trimEnd())
  const usage = lines.findIndex((line) => line.startsWith('Usage:') || line.startsWith('Clean install a project'))
  return lines
    .slice(0, usage < 0 ? undefined : usage)
    .filter(Boolean)
    .slice(0, 15)
    .map((line) => `  ${line}`)
    .join('\n')
}

function lockedPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages
  } catch {
    return undefined
  }
}
