/** packages/apiserver/gen, the fields of Kubernetes' built-in kinds, generated from the npm package that describes them. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Generator, generate, isFresh } from './generator.ts'

/** Whether the generated files were made by this generator from the installed packages. */
export const kindsAreFresh = (root: string): Promise<boolean> => isFresh(generator(root))

/** @throws Error with the generator's own message */
export async function generateKinds(root: string): Promise<void> {
  process.stderr.write('lateen: generating Kubernetes kinds …\n')
  await generate(generator(root))
}

function generator(root: string): Generator {
  const script = join(root, 'packages/apiserver/codegen/generate.mjs')
  const hash = createHash('sha256')
    .update(readFileSync(script))
    .update(readFileSync(join(root, 'packages/apiserver/package.json')))
  return { script, folder: join(root, 'packages/apiserver/gen'), stamp: hash.digest('hex') }
}
