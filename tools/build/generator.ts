/** Generated code is kept until what it was made from changes: a stamp beside it holds the hash of its inputs. */
import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

export interface Generator {
  /** A plain-Node script. */
  readonly script: string
  readonly args?: readonly string[]
  /** The folder that it writes. */
  readonly folder: string
  /** Hash of everything that the output depends on. */
  readonly stamp: string
}

/** Whether the generated files were made from just these inputs. */
export async function isFresh({ folder, stamp }: Pick<Generator, 'folder' | 'stamp'>): Promise<boolean> {
  return readFile(join(folder, '.stamp'), 'utf8').then(
    (found) => found === stamp,
    () => false,
  )
}

/** @throws Error with the generator's own message */
export async function generate({ script, args = [], folder, stamp }: Generator): Promise<void> {
  await run(script, args)
  await writeFile(join(folder, '.stamp'), stamp)
}

function run(script: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4096)
    })
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${basename(script)} ended with ${code}:\n${said.trim()}`))))
  })
}
