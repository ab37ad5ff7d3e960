/** Where `proxy-config` reads from: a file, or the proxy of a pod. */
import { withCluster } from '../../cluster/connect.ts'
import { type ProxyAdmin, proxyAdmin } from '../../cluster/envoy-admin.ts'
import { type ConfigDump, readConfigDump } from '../../config-dump/dump.ts'
import { readDumpFile } from '../../input/read-dump.ts'
import { type Argument, type Context, type Flag, Outcome } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'

export const POD_ARGUMENT: Argument = { name: 'pod', help: '[<type>/]<name>[.<namespace>]', optional: true }

export const OUTPUT: Flag = {
  name: 'output',
  short: 'o',
  value: 'FORMAT',
  choices: ['short', 'json', 'yaml'],
  default: 'short',
  help: 'short, json or yaml',
}

/** For commands that ask a proxy. */
export const PROXY_ADMIN_PORT: Flag = {
  name: 'proxy-admin-port',
  value: 'PORT',
  type: 'integer',
  default: 15000,
  help: "port of Envoy's administration interface",
}

/** What all of `proxy-config` have. */
export const SOURCE_FLAGS: readonly Flag[] = [
  { name: 'file', short: 'f', value: 'FILE', help: "Envoy's config dump, instead of a pod; - is the standard input" },
  PROXY_ADMIN_PORT,
  ...KUBE_FLAGS,
]

export interface Source {
  readonly content: string | Buffer
  /** The file or the pod, for messages. */
  readonly origin: string
}

/** What is at `path` of Envoy's administration interface, or in the file. */
export async function readSource(context: Context, path: string): Promise<Source> {
  const file = context.flags.text('file')
  const [reference] = context.args
  if (file !== undefined && reference !== undefined) {
    throw new CommandError('give a pod or --file, not both', { exitCode: EXIT.usage })
  }
  if (file !== undefined) return { content: readDumpFile(file), origin: file === '-' ? 'standard input' : file }
  if (reference === undefined) {
    throw new CommandError('no pod: give [<type>/]<name>[.<namespace>], or --file with a config dump', { exitCode: EXIT.usage })
  }
  return withCluster(context, async (cluster) => {
    const admin = await proxyAdmin(cluster, reference, context.flags.integer('proxy-admin-port'))
    return { content: await askedFor(admin, path), origin: `pod ${admin.pod}` }
  })
}

/** Envoy refuses a mask for what it has none of; the whole dump says then that there is none. */
async function askedFor(admin: ProxyAdmin, path: string): Promise<string> {
  try {
    return await admin.ask('GET', path)
  } catch (error) {
    if (!(error instanceof CommandError) || !path.includes(MASK) || !error.message.includes('FieldMask')) throw error
    return admin.ask('GET', path.slice(0, path.indexOf(MASK)))
  }
}

const MASK = '?mask='

/** What a proxy is asked for, since all that it has may be large. */
export const PARTS = {
  bootstrap: `${MASK}bootstrap`,
  clusters: `${MASK}dynamic_active_clusters,static_clusters`,
  listeners: `${MASK}dynamic_listeners,static_listeners`,
  routes: `${MASK}dynamic_route_configs,static_route_configs`,
  secrets: `${MASK}dynamic_active_secrets,dynamic_warming_secrets`,
  /** Everything; Envoy leaves endpoints out unless they are asked for. */
  withEndpoints: '?include_eds',
} as const

/** @param query one of {@link PARTS}, for a proxy that is asked; without it everything but endpoints */
export async function readDump(context: Context, query = ''): Promise<ConfigDump> {
  const { content, origin } = await readSource(context, `config_dump${query}`)
  return readConfigDump(content, origin, { damaged: 'read' })
}

/** What was found in a dump; when that is damaged, it is said, and the command fails although what is whole is shown. */
export function foundIn<T>(
  { progress }: Pick<Context, 'progress'>,
  { damage }: Pick<ConfigDump, 'damage'>,
  found: T | AsyncIterable<string>,
): T | Outcome<T> | AsyncIterable<string> {
  if (damage === undefined) return found
  if (isText(found)) return followedBy(found, damage)
  progress.note(`Error: ${damage}`)
  return new Outcome(found, EXIT.failure)
}

function isText(found: unknown): found is AsyncIterable<string> {
  return typeof found === 'object' && found !== null && Symbol.asyncIterator in found
}

async function* followedBy(text: AsyncIterable<string>, damage: string): AsyncIterable<string> {
  yield* text
  throw new CommandError(damage)
}

/** What `find` finds with a filter. @throws CommandError when there would be nothing without it either */
export function filtered<F extends object, R>(find: (filter?: F) => readonly R[], filter: F, what: string): readonly R[] {
  const found = find(filter)
  if (found.length === 0 && find().length === 0) throw new CommandError(`no ${what} found`)
  return found
}
