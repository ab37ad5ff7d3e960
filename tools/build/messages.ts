/** packages/envoy/gen, generated from the descriptors inside the pinned Envoy. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ENVOY_VERSION, findEnvoy } from '@lateen/cli/envoy'

const GENERATOR = ['envoy.mjs', 'istio.mjs', 'roots.json']

/** Whether the generated files were made by this generator from this Envoy version. */
export async function messagesAreFresh(root: string): Promise<boolean> {
  return readFile(stampPath(root), 'utf8').then(
    (stamp) => stamp === wantedStamp(root),
    () => false,
  )
}

/**
 * @throws EnvoyNotFoundError, or an Error with the generator's own message
 */
export async function generateMessages(root: string): Promise<void> {
  const progress = (message: string) => void process.stderr.write(`lateen: ${message}\n`)
  const envoy = await findEnvoy({ env: process.env, progress })
  progress('generating Envoy messages …')
  const stamp = wantedStamp(root)
  await run(process.execPath, [join(root, 'tools/codegen/envoy.mjs'), envoy])
  await writeFile(stampPath(root), stamp)
}

const stampPath = (root: string) => join(root, 'packages/envoy/gen/.stamp')

function wantedStamp(root: string): string {
  const hash = createHash('sha256').update(ENVOY_VERSION)
  for (const name of GENERATOR) hash.update(readFileSync(join(root, 'tools/codegen', name)))
  return hash.digest('hex')
}

function run(command: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4096)
    })
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`tools/codegen/envoy.mjs ended with ${code}:\n${said.trim()}`))))
  })
}
