/** Where `ztunnel-config` reads from: a file, or a ztunnel. */
import { withCluster } from '../../cluster/connect.ts'
import { askZtunnel, findZtunnels } from '../../cluster/ztunnel.ts'
import { readDumpFile } from '../../input/read-dump.ts'
import type { Argument, Context, Flag } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { readZtunnelDump, type ZtunnelDump } from '../../ztunnel-dump/dump.ts'
import { OUTPUT } from '../proxy-config/source.ts'

export const ZTUNNEL_ARGUMENT: Argument = { name: 'ztunnel', help: '[<type>/]<name>[.<namespace>]; default: any', optional: true }

export const ADMIN_PORT: Flag = {
  name: 'proxy-admin-port',
  value: 'PORT',
  type: 'integer',
  default: 15000,
  help: "port of ztunnel's administration interface",
}

/** What all of `ztunnel-config` have. */
export const ZTUNNEL_FLAGS: readonly Flag[] = [
  { name: 'file', short: 'f', value: 'FILE', help: "ztunnel's config dump, instead of a ztunnel; - is the standard input" },
  { name: 'node', value: 'NODE', help: 'the ztunnel of this node' },
  ADMIN_PORT,
  OUTPUT,
  ...KUBE_FLAGS,
]

export const adminPort = (flags: Context['flags']): number => flags.integer('proxy-admin-port') ?? 15_000

/** Which of several ztunnels is meant when none is named: any, for what all of them have, or none, for what is of one alone. */
export type Several = 'any' | 'none'

export async function readDump(context: Context, several: Several = 'any'): Promise<ZtunnelDump> {
  const file = context.flags.text('file')
  const [reference] = context.args
  const node = context.flags.text('node')
  if ([file, reference, node].filter((each) => each !== undefined).length > 1) {
    throw new CommandError('at most one of --file, --node, or pod name must be passed', { exitCode: EXIT.usage })
  }
  if (file !== undefined) return readZtunnelDump(readDumpFile(file), file === '-' ? 'standard input' : file)
  return withCluster(context, async (cluster) => {
    const [pod, ...others] = await findZtunnels(cluster, reference, node)
    if (several === 'none' && others.length > 0 && node === undefined) {
      const names = [pod, ...others].map((each) => each?.metadata.name).join(', ')
      throw new CommandError(`ztunnel pod name or --node must be set: there are ${names}`, { exitCode: EXIT.usage })
    }
    if (!pod) throw new CommandError('no ztunnel was found')
    const json = await askZtunnel(cluster, pod, adminPort(context.flags), 'GET', '/config_dump')
    return readZtunnelDump(json, `ztunnel ${pod.metadata.name}`)
  })
}
