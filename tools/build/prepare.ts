/**
 * Makes what a checkout needs beside its sources and npm packages: generated code and the bundle in dist/.
 *
 * Enters: sources, npm packages, the Envoy binary (only when its messages must be generated). Leaves: packages/envoy/gen,
 * packages/apiserver/gen, dist/lateen.mjs with its chunks, and dist/.built, whose time `bin/lateen` compares with the sources'.
 *
 * usage: node tools/bootstrap/main.mjs tools/build/prepare.ts
 */
import { join } from 'node:path'
import { withLock } from '../bootstrap/lock.mjs'
import { bundle, bundleIsFresh } from './bundle.ts'
import { generateKinds, kindsAreFresh } from './kinds.ts'
import { generateMessages, messagesAreFresh } from './messages.ts'

const root = join(import.meta.dirname, '../..')

/** Brings all up to date; cheap when they are. */
export async function prepare(): Promise<void> {
  if ((await messagesAreFresh(root)) && (await kindsAreFresh(root)) && bundleIsFresh(root)) return
  await withLock(root, async () => {
    if (!(await messagesAreFresh(root))) await generateMessages(root)
    if (!(await kindsAreFresh(root))) await generateKinds(root)
    if (!bundleIsFresh(root)) await bundle(root)
  })
}

if (import.meta.main) {
  await prepare().catch((error: unknown) => {
    process.stderr.write(`lateen: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  })
}
