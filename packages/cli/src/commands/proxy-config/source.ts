/** Where `proxy-config` reads from: a file, or the proxy of a pod. */
import { withCluster } from '../../cluster/connect.ts'
import { proxyAdmin } from '../../cluster/envoy-admin.ts'
import { type ConfigDump, readConfigDump } from '../../config-dump/dump.ts'
import { readText } from '../../input/read-text.ts'
import type { Argument, Context, Flag } from '../../shell/command.ts'
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
  hidden: true,
  help: "accepted; the proxy's own agent knows the port",
}

/** What all of `proxy-config` have. */
export const SOURCE_FLAGS: readonly Flag[] = [
  { name: 'file', short: 'f', value: 'FILE', help: "Envoy's config dump, instead of a pod; - is the standard input" },
  PROXY_ADMIN_PORT,
  ...KUBE_FLAGS,
]

/** The text at `path` of Envoy's administration interface, or of the file. */
export async function readSource(context: Context, path: string): Promise<{ json: string; origin: string }> {
  const file = context.flags.text('file')
  const [reference] = context.args
  if (file !== undefined && reference !== undefined) {
    throw new CommandError('give a pod or --file, not both', { exitCode: EXIT.usage })
  }
  if (file !== undefined) return { json: readText(file), origin: file }
  if (reference === undefined) {
    throw new CommandError('no pod: give [<type>/]<name>[.<namespace>], or --file with a config dump', { exitCode: EXIT.usage })
  }
  return withCluster(context, async (cluster) => {
    const admin = await proxyAdmin(cluster, reference)
    return { json: await admin.ask('GET', path), origin: `pod ${admin.pod}` }
  })
}

export async function readDump(context: Context, query = ''): Promise<ConfigDump> {
  const { json, origin } = await readSource(context, `config_dump${query}`)
  return readConfigDump(json, origin)
}
