/** packages/envoy/gen, generated from the descriptors inside the pinned Envoy. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ENVOY_VERSION, findEnvoy } from '@lateen/cli/envoy'
import { generate, isFresh } from './generator.ts'

const GENERATOR = ['envoy.mjs', 'istio.mjs', 'roots.json']

/** Whether the generated files were made by this generator from this Envoy version. */
export const messagesAreFresh = (root: string): Promise<boolean> => isFresh({ folder: folder(root), stamp: stamp(root) })

/**
 * @throws EnvoyNotFoundError, or an Error with the generator's own message
 */
export async function generateMessages(root: string): Promise<void> {
  const progress = (message: string) => void process.stderr.write(`lateen: ${message}\n`)
  const envoy = await findEnvoy({ env: process.env, progress })
  progress('generating Envoy messages …')
  await generate({ script: join(root, 'tools/codegen/envoy.mjs'), args: [envoy], folder: folder(root), stamp: stamp(root) })
}

const folder = (root: string) => join(root, 'packages/envoy/gen')

function stamp(root: string): string {
  const hash = createHash('sha256').update(ENVOY_VERSION)
  for (const name of GENERATOR) hash.update(readFileSync(join(root, 'tools/codegen', name)))
  return hash.digest('hex')
}
