/**
 * The first step of every command of this checkout, for a machine that has Node 18 or newer with npm and nothing else.
 *
 * Enters: a script of this repository with its arguments. Leaves: that script's run, under the pinned Node, after the npm
 * packages of the lock file are in place. Uses no package and no syntax newer than Node 18.
 *
 * usage: node tools/bootstrap/main.mjs SCRIPT [ARGUMENT…]
 */
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './lock.mjs'
import { installPackages, packagesAreCurrent, pinnedNode } from './packages.mjs'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const OLDEST_NODE = 18

async function main([script, ...args]) {
  if (!script) throw new Error('name a script: node tools/bootstrap/main.mjs SCRIPT [ARGUMENT…]')
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    throw new Error(
      `Node.js ${OLDEST_NODE} or newer is needed to start; this is ${process.versions.node}. Install a newer one, then run the same command again`,
    )
  }
  if (!packagesAreCurrent(root)) {
    await withLock(root, async () => {
      if (!packagesAreCurrent(root)) await installPackages(root)
    })
  }
  process.exitCode = await run(pinnedNode(root), [join(root, script), ...args])
}

/** Runs to the end, passing signals on: a terminal sends Ctrl-C to both, a supervisor only to this one. */
function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit' })
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve(code ?? (signal ? 1 : 0)))
  })
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`lateen: ${error.message}\n`)
  process.exitCode = 1
})
