/** The command tree of `pilot-discovery`: discovery, request, version. */

import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { debugTokenPath } from './debug/debug-access.ts'
import { VERSION } from './version.ts'

const USAGE = `Usage:
  pilot-discovery discovery [flags]                     starts the control plane
  pilot-discovery request <method> <path> [<body>]      asks the control plane of this machine or pod
  pilot-discovery version [--short] [--output json]     prints the version
`

/** Runs one of the commands; resolves with the exit code. */
export async function runPilotDiscovery(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [command, ...rest] = argv
  switch (command) {
    case 'discovery': {
      const { runDiscovery } = await import('./discovery.ts')
      return runDiscovery(rest, env)
    }
    case 'request':
      return sendRequest(rest, env)
    case 'version':
      process.stdout.write(versionText(rest))
      return 0
    case undefined:
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(USAGE)
      return 0
    default:
      process.stderr.write(`Error: unknown command "${command}" for "pilot-discovery"\n\n${USAGE}`)
      return 64
  }
}

function versionText(argv: readonly string[]): string {
  if (argv.includes('--short') || argv.includes('-s')) return `${VERSION}\n`
  const info = { version: VERSION, revision: 'lateen', golang_version: '', status: 'Clean', tag: VERSION }
  const isJson = argv.some(
    (argument, i) =>
      argument === '--output=json' || argument === '-ojson' || ((argument === '-o' || argument === '--output') && argv[i + 1] === 'json'),
  )
  return isJson
    ? `${JSON.stringify(info, null, 2)}\n`
    : `version.BuildInfo{Version:"${VERSION}", GitRevision:"lateen", GolangVersion:"", BuildStatus:"Clean", GitTag:"${VERSION}"}\n`
}

const MONITORING_PORT = 15014
const TIMEOUT_MS = 60_000

/** `LATEEN_MONITORING_PORT` serves control planes that do not listen on istiod's port. */
function sendRequest(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [method, path, body] = argv.filter((argument) => !argument.startsWith('--'))
  if (!method || !path) {
    process.stderr.write(`Error: request needs a method and a path, as in: pilot-discovery request GET /debug/syncz\n`)
    return Promise.resolve(64)
  }
  const port = Number(env.LATEEN_MONITORING_PORT) || MONITORING_PORT
  const token = readToken(port)
  return new Promise((resolve) => {
    const call = request(
      {
        host: 'localhost',
        port,
        method: method.toUpperCase(),
        path: path.startsWith('/') ? path : `/${path}`,
        timeout: TIMEOUT_MS,
        headers: token ? { authorization: `Bearer ${token}` } : {},
      },
      (response) => {
        response.pipe(process.stdout, { end: false })
        response.on('end', () => {
          const code = response.statusCode ?? 0
          if (code < 400) return resolve(0)
          process.stderr.write(`Error: the control plane answered ${code}\n`)
          resolve(1)
        })
      },
    )
    call.on('timeout', () => call.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)))
    call.on('error', (error) => {
      process.stderr.write(`Error: no control plane answers on localhost:${port}: ${error.message}; run this in its pod\n`)
      resolve(1)
    })
    call.end(body)
  })
}

function readToken(port: number): string | undefined {
  try {
    return readFileSync(debugTokenPath(port), 'utf8').trim()
  } catch {
    return undefined
  }
}
