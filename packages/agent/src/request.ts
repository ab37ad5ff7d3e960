/** `request GET /path`: a request to Envoy's administration port, or with `--debug-port` to the agent's. */
import { EnvoyAdmin } from './envoy/admin.ts'
import { EXIT, type ProgramIo, processIo } from './program.ts'
import { SettingError } from './settings/environment.ts'
import { helpText, parseFlags, REQUEST_FLAGS } from './settings/flags.ts'

const TIMEOUT_MS = 60_000

/**
 * Prints the answer's body.
 *
 * @returns the exit code: 1 when the answer is not a success or there is none, 64 for wrong usage
 */
export async function runRequest(argv: readonly string[], io: ProgramIo = processIo()): Promise<number> {
  try {
    const flags = parseFlags(argv, REQUEST_FLAGS)
    if (flags.help) {
      io.stdout(helpText('request <method> <path> [flags]', REQUEST_FLAGS))
      return EXIT.ok
    }
    const [method = '', path = ''] = flags.positionals
    const verb = method.toUpperCase()
    if ((verb !== 'GET' && verb !== 'POST') || path === '') throw new SettingError('usage: request GET|POST <path>')
    const port = Number(flags.values['debug-port'])
    if (!Number.isInteger(port) || port < 1 || port > 65535)
      throw new SettingError(`--debug-port=${flags.values['debug-port']} is not a port`)
    const { status, body } = await new EnvoyAdmin(port).request(verb, path.startsWith('/') ? path : `/${path}`, TIMEOUT_MS)
    io.stdout(body)
    if (status >= 200 && status < 300) return EXIT.ok
    io.stderr(`HTTP status ${status}\n`)
    return EXIT.failed
  } catch (error) {
    io.stderr(`${error instanceof Error ? error.message : String(error)}\n`)
    return error instanceof SettingError ? EXIT.usage : EXIT.failed
  }
}
