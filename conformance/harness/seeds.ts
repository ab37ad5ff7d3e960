/** The blocks of documents that teach Istio, with the verdicts on them. They lie beside the checkout, where they are read. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './mesh.ts'

export const SEEDS = join(ROOT, '../shared/cases/seeds')
export const seedsAreThere = existsSync(join(SEEDS, 'verdicts.json'))

export interface SeedVerdict {
  readonly file: string
  readonly status?: string
  /** The smallest repair to what the author plainly meant. */
  readonly intendedFile?: string
  readonly resources: readonly { readonly kind: string }[]
  readonly deprecatedOrInvalidFields?: readonly { readonly field: string; readonly status: string }[]
}

export const seedVerdicts: readonly SeedVerdict[] = seedsAreThere ? JSON.parse(readFileSync(join(SEEDS, 'verdicts.json'), 'utf8')) : []

const files = seedVerdicts.flatMap(({ file, intendedFile }) => [file, ...(intendedFile ? [intendedFile] : [])])

/** The path of `001-16`, or of `intended/001-58`: the rest of the name is found in the folder. */
export function seedFile(seed: string): string {
  const found = files.find((file) => file.startsWith(`${seed}-`))
  if (!found) throw new Error(`no block ${seed} in ${SEEDS}`)
  return join(SEEDS, found)
}
