/** What `proxy-config` and `ztunnel-config` find: a table for people, or the resources themselves for programs. */
import { readable } from '@lateen/base'
import { canonicalForms } from '../../config-dump/proto-json.ts'
import { sortedYaml } from '../../render/sorted-yaml.ts'
import { paddedTable, type Shown } from '../../render/table.ts'
import type { Context } from '../../shell/command.ts'

type Text = AsyncIterable<string>

/**
 * Envoy's messages as JSON or YAML when the user wants data, else what is shown of them.
 *
 * @param type the message of each resource, such as `envoy.config.cluster.v3.Cluster`
 */
export function report(
  context: Pick<Context, 'flags' | 'progress'>,
  type: string,
  resources: readonly unknown[],
  show: () => Shown,
): Shown | Text {
  return wantsData(context.flags) ? messages(context, type, resources) : show()
}

async function* messages({ flags, progress }: Pick<Context, 'flags' | 'progress'>, type: string, resources: readonly unknown[]): Text {
  const forms = await canonicalForms(type)
  yield* documents(flags, resources, forms.of)
  for (const fault of forms.faults()) progress.note(fault)
}

/** One message as a document. */
export async function* message({ flags, progress }: Pick<Context, 'flags' | 'progress'>, type: string, value: unknown): Text {
  const forms = await canonicalForms(type)
  yield document(flags, forms.of(value))
  for (const fault of forms.faults()) progress.note(fault)
}

export function wantsData(flags: Context['flags']): boolean {
  const format = flags.text('output')
  return format === 'json' || format === 'yaml'
}

const INDENT = 4

/** In the format of `--output`, as istioctl writes it: JSON by four blanks, YAML with sorted keys. */
export function document(flags: Context['flags'], value: unknown): string {
  return flags.text('output') === 'yaml' ? sortedYaml(value) : `${JSON.stringify(value, null, INDENT)}\n`
}

/** A list, item by item, so that a large one is never in memory as text. */
export async function* documents<T>(flags: Context['flags'], items: readonly T[], form: (item: T) => unknown = (item) => item): Text {
  if (items.length === 0) yield '[]\n'
  else if (flags.text('output') === 'yaml') for (const item of items) yield sortedYaml([form(item)])
  else {
    for (const [index, item] of items.entries()) yield `${index === 0 ? '[' : ','}\n${indented(JSON.stringify(form(item), null, INDENT))}`
    yield '\n]\n'
  }
}

const indented = (text: string): string => text.replace(/^/gm, ' '.repeat(INDENT))

/** For the shell, which asks for text only when no data are wanted. */
export function renderTable(found: unknown): string {
  if (!isShown(found)) throw new Error('a table is rendered that is none')
  return tableOf(found)
}

/** Names come of whoever wrote them: what would steer a terminal is shown. */
export const tableOf = ({ headings, rows, padding }: Shown): string => readable(paddedTable(headings, rows, padding))

const isShown = (found: unknown): found is Shown => typeof found === 'object' && found !== null && 'headings' in found && 'rows' in found
