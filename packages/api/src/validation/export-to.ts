/** The check of `exportTo`: which namespaces see an object. */
import type { At } from '../diagnostics/at.ts'
import { isDnsLabel } from './hosts.ts'

interface Options {
  readonly namespace: string
  /** Only ServiceEntries can be exported to nobody. */
  readonly nobodyAllowed?: boolean
  /** A DestinationRule with a workloadSelector stays in its namespace. */
  readonly ownOnly?: boolean
}

export function checkExportTo(
  exportTo: readonly string[] | undefined,
  at: At,
  { namespace, nobodyAllowed = false, ownOnly = false }: Options,
): void {
  if (!exportTo?.length) return
  const seen = new Set<string>()
  at.each(exportTo, (value, place) => {
    const key = value === '.' ? namespace : value
    if (seen.has(key)) {
      if (key === value) place.say('ExportToDuplicate', { value })
      else place.say('ExportToOwnTwice', { namespace })
    } else if (value === '~' && !nobodyAllowed) place.say('ExportToNobody')
    else if (!['.', '*', '~'].includes(value) && !isDnsLabel(key)) place.say('ExportToBad', { value })
    else seen.add(key)
  })
  if (ownOnly && seen.size > 0 && (!seen.has(namespace) || seen.size > 1)) at.say('ExportToWithSelector')
  if (exportTo.length > 1 && seen.has('*')) at.say('ExportToPublicAndMore')
  if (exportTo.length > 1 && seen.has('~')) at.say('ExportToNobodyAndMore')
}
