/** What `proxy-config` finds: a table for people, or the resources themselves for programs. */
import { canonical } from '../../config-dump/proto-json.ts'
import { table } from '../../render/table.ts'
import type { Context } from '../../shell/command.ts'

export interface Shown {
  readonly headings: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/**
 * Envoy's messages as JSON when the user wants data, else what is shown of them.
 *
 * @param type the message of each resource, such as `envoy.config.cluster.v3.Cluster`
 */
export async function report(
  { flags }: Pick<Context, 'flags'>,
  type: string,
  resources: readonly unknown[],
  show: () => Shown,
): Promise<unknown> {
  return wantsData(flags) ? canonical(type, resources) : show()
}

export function wantsData(flags: Context['flags']): boolean {
  const format = flags.text('output')
  return format === 'json' || format === 'yaml'
}

/** For the shell, which asks for text only when no data are wanted. */
export function renderTable(found: unknown): string {
  if (!isShown(found)) throw new Error('a table is rendered that is none')
  return table(found.headings, found.rows)
}

const isShown = (found: unknown): found is Shown => typeof found === 'object' && found !== null && 'headings' in found && 'rows' in found
