/** Where this program is installed: the folder that holds `dist/` and the samples. */
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CommandError } from './shell/exit-codes.ts'

export interface Installation {
  readonly root: string
  /** The file that starts the program: Node's first argument. */
  readonly entry: string
  readonly samples: string
}

/**
 * Looks upwards from the file that was started.
 *
 * @throws CommandError when the samples are not beside the program
 */
export function installation(): Installation {
  const entry = realpathSync(process.argv[1] ?? '.')
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    const samples = join(folder, 'packages/runtime/samples')
    if (existsSync(samples)) return { root: folder, entry, samples }
  }
  throw new CommandError(`${entry}: the samples (packages/runtime/samples) are not beside this program; run bin/lateen of a whole checkout`)
}
