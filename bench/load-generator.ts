/** Builds the load generator, a Go program that is not part of this repository, from where `XDSLOAD_SOURCE` says. */
import { access, cp, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { run } from './processes.ts'

const DEFAULT_SOURCE = resolve(import.meta.dirname, '..', '..', 'shared', 'tools', 'xdsload')

/** Path of the built program, or why there is none. */
export async function loadGenerator(): Promise<{ readonly path: string } | { readonly missing: string }> {
  const source = process.env['XDSLOAD_SOURCE'] ?? DEFAULT_SOURCE
  const folder = join(tmpdir(), `lateen-bench-${process.getuid?.() ?? 0}`)
  const path = join(folder, 'xdsload')
  if (
    !(await access(join(source, 'main.go')).then(
      () => true,
      () => false,
    ))
  ) {
    return { missing: `the load generator is not at ${source}; set XDSLOAD_SOURCE to its folder` }
  }
  await mkdir(folder, { recursive: true, mode: 0o700 })
  // Go may write to its folder, which may be read-only.
  const copy = join(folder, 'source')
  await cp(source, copy, { recursive: true, mode: 0 })
  try {
    await run(['go', 'build', '-o', path, '.'], { cwd: copy })
  } catch (error) {
    return {
      missing: `the load generator cannot be built (it needs Go 1.26 or newer): ${error instanceof Error ? error.message : String(error)}`,
    }
  }
  return { path }
}
