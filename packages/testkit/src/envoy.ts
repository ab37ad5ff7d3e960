/** The real Envoy, for tests. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

/** The Envoy that tests use: `ENVOY_PATH`, else one on the PATH, else the cache; undefined when there is none. */
export function findEnvoy(): string | undefined {
  const home = process.env['LATEEN_HOME'] ?? join(homedir(), '.lateen')
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const candidates = [
    process.env['ENVOY_PATH'],
    ...folders.map((folder) => join(folder, 'envoy')),
    join(home, 'cache', 'envoy-1.40.0', 'envoy'),
  ]
  return candidates.find((path) => path !== undefined && path !== '' && existsSync(path))
}

/** What Envoy says against a bootstrap; empty when it accepts it. */
export function refusal(envoy: string, bootstrap: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), 'lateen-validate-'))
  const file = join(folder, 'bootstrap.json')
  try {
    writeFileSync(file, JSON.stringify(bootstrap))
    // Envoy opens /dev/stdout for access logs, which fails on a socket: that is what a piped stdout of a child is.
    const { status, stderr } = spawnSync(envoy, ['--mode', 'validate', '-c', file, '-l', 'warning'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
      timeout: 60_000,
    })
    return status === 0 ? '' : stderr || `ended with ${String(status)}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
