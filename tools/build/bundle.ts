/**
 * dist/: the whole program as one entry and lazily loaded chunks, so that a subcommand reads only its own code.
 *
 * A running mesh may load a chunk long after a later build: chunks are named by content, and old ones stay for a day.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type BuildFailure, build, type OutputFile } from 'esbuild'

const KEEP_OLD_CHUNKS_MS = 24 * 60 * 60 * 1000

/** Whether dist/ is newer than every source, as `bin/lateen` judges it. */
export function bundleIsFresh(root: string): boolean {
  const built = join(root, 'dist/.built')
  if (!existsSync(built)) return false
  const packages = readdirSync(join(root, 'packages')).flatMap((name) => [
    join('packages', name, 'src'),
    join('packages', name, 'package.json'),
  ])
  const inputs = ['package-lock.json', 'tools/build', 'tools/codegen', ...packages]
    .map((path) => join(root, path))
    .filter((path) => existsSync(path))
  const tests = ['-type', 'd', '-o', '!', '-name', '*.test.ts']
  return execFileSync('find', [...inputs, '-newer', built, '(', ...tests, ')', '-print', '-quit'], { encoding: 'utf8' }) === ''
}

/**
 * @throws Error with the first messages of esbuild, each with file and line
 */
export async function bundle(root: string): Promise<void> {
  const started = new Date()
  const outputs = await compile(root)
  const dist = join(root, 'dist')
  const entry = join(dist, 'lateen.mjs')
  for (const { path, contents } of outputs) {
    if (path === entry || existsSync(path)) continue
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(`${path}.new`, contents)
    renameSync(`${path}.new`, path)
  }
  const main = outputs.find(({ path }) => path === entry)
  if (!main) throw new Error(`esbuild made no ${entry}`)
  writeFileSync(`${entry}.new`, main.contents)
  renameSync(`${entry}.new`, entry)
  removeOldChunks(join(dist, 'chunks'), new Set(outputs.map(({ path }) => basename(path))))
  // The time the build began, not the time it ended: what was edited meanwhile counts as newer.
  writeFileSync(join(dist, '.built'), '')
  utimesSync(join(dist, '.built'), started, started)
}

async function compile(root: string): Promise<OutputFile[]> {
  try {
    const { outputFiles } = await build({
      entryPoints: { lateen: join(root, 'packages/lateen/src/main.ts') },
      absWorkingDir: root,
      outdir: join(root, 'dist'),
      outExtension: { '.js': '.mjs' },
      chunkNames: 'chunks/[name]-[hash]',
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node26',
      // Identifiers stay: error classes and stack traces keep their names.
      minifySyntax: true,
      minifyWhitespace: true,
      legalComments: 'none',
      loader: { '.yaml': 'text', '.html': 'text' },
      banner: { js: "import { createRequire as lateenRequire } from 'node:module';const require = lateenRequire(import.meta.url);" },
      logLevel: 'silent',
      write: false,
    })
    return outputFiles
  } catch (error) {
    if (!isBuildFailure(error)) throw error
    const lines = error.errors.slice(0, 5).map(({ text, location }) => `  ${location ? `${location.file}:${location.line}: ` : ''}${text}`)
    throw new Error(`the sources do not build:\n${lines.join('\n')}`, { cause: error })
  }
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors)
}

function removeOldChunks(folder: string, current: ReadonlySet<string>): void {
  if (!existsSync(folder)) return
  const limit = Date.now() - KEEP_OLD_CHUNKS_MS
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (!current.has(name) && statSync(path).mtimeMs < limit) rmSync(path, { force: true })
  }
}
