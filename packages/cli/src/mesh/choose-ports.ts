/** Which ports of 127.0.0.1 a mesh listens on: what the user says, else what it had before, else the first free ones. */
import { CommandError, EXIT } from '../shell/exit-codes.ts'
import { type Home, readSettings, writeSettings } from './home.ts'
import { ownerOf, probePort } from './ports.ts'
import type { Ports } from './state.ts'

interface Wish {
  readonly key: keyof Ports
  readonly flag: string
  readonly what: string
  readonly usual: number
}

const WISHES: readonly Wish[] = [
  { key: 'api', flag: 'api-port', what: 'the API server', usual: 6443 },
  { key: 'http', flag: 'gateway-port', what: 'the gateway', usual: 8080 },
  { key: 'https', flag: 'gateway-tls-port', what: "the gateway's TLS port", usual: 8443 },
]

/** How far from the usual port a free one is looked for. */
const NEIGHBOURS = 200
const HIGHEST = 65_535

export interface PortChoice {
  readonly ports: Ports
  /** One sentence for each port that is not the one to be expected. */
  readonly notes: readonly string[]
}

/**
 * @param given the ports that the user named, by flag
 * @throws CommandError when a port that the user named is taken or not allowed
 */
export async function choosePorts(home: Home, given: Readonly<Record<string, number | undefined>>): Promise<PortChoice> {
  const before = readPorts(home)
  const notes: string[] = []
  const chosen = new Map<keyof Ports, number>()
  for (const wish of WISHES) {
    const named = given[wish.flag]
    const port =
      named === undefined ? await free(wish, before?.[wish.key] ?? wish.usual, [...chosen.values()], notes) : await claim(wish, named)
    chosen.set(wish.key, port)
  }
  const ports = { api: chosen.get('api') ?? 0, http: chosen.get('http') ?? 0, https: chosen.get('https') ?? 0 }
  writeSettings(home, { ports })
  return { ports, notes }
}

async function claim({ flag, what }: Wish, port: number): Promise<number> {
  if (port < 1 || port > HIGHEST) throw new CommandError(`--${flag} ${port}: ports are 1 to ${HIGHEST}`, { exitCode: EXIT.usage })
  const state = await probePort(port)
  if (state === 'free') return port
  if (state === 'denied')
    throw new CommandError(`cannot listen on 127.0.0.1:${port}, for ${what}: ports below 1024 need root. Choose another with --${flag}`)
  throw new CommandError(
    `cannot listen on 127.0.0.1:${port}, for ${what}: the port is in use${holder(port)}. Stop that, or choose another with --${flag}`,
  )
}

async function free({ flag, what, usual }: Wish, first: number, taken: readonly number[], notes: string[]): Promise<number> {
  for (let port = first; port <= Math.min(first + NEIGHBOURS, HIGHEST); port++) {
    if (taken.includes(port) || (await probePort(port)) !== 'free') continue
    if (port !== first) notes.push(`port ${first} is in use${holder(first)}; ${what} listens on ${port} (--${flag} chooses another)`)
    return port
  }
  throw new CommandError(`no free port for ${what} from ${usual} on; name one with --${flag}`)
}

/** ` by process 4121 (nginx)`, or by another mesh. */
function holder(port: number): string {
  const owner = ownerOf(port)
  if (!owner) return " by another user's process"
  if (owner.home) return ` by the mesh in ${owner.home} (process ${owner.pid})`
  return ` by process ${owner.pid} (${owner.name})`
}

function readPorts(home: Home): Ports | undefined {
  const { ports } = readSettings(home)
  if (typeof ports !== 'object' || ports === null || !('api' in ports) || !('http' in ports) || !('https' in ports)) return undefined
  const { api, http, https } = ports
  return isPort(api) && isPort(http) && isPort(https) ? { api, http, https } : undefined
}

const isPort = (value: unknown): value is number => typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= HIGHEST
