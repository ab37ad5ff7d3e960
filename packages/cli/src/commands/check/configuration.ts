/** Configuration: what the analysis finds in all namespaces. */
import { documentationUrl, type Finding } from '@lateen/analysis'
import { findingsOfCluster } from '../analyze/whole-cluster.ts'
import { type CheckContext, type CheckResult, counted, error, LINKS, named, ok, warning } from './result.ts'

export async function configurationChecks({ cluster, now }: CheckContext): Promise<CheckResult[]> {
  const findings = await findingsOfCluster(cluster, now)
  const check = 'the analysis finds nothing wrong'
  const serious = findings.filter(({ level }) => level !== 'Info')
  if (serious.length === 0) return [ok(check, findings.length > 0 ? `${counted(findings.length, 'remark')}: lateen analyze -A` : '')]
  return codesOf(serious).map(([first, all]) => {
    const detail = `${first.code}, ${counted(all.length, 'object')}: ${named(all.map(({ origin }) => origin))}: ${first.text}`
    const advice = { hint: 'lateen analyze -A', link: documentationUrl(first.code) || LINKS.analysis }
    return first.level === 'Error' ? error(check, detail, advice) : warning(check, detail, advice)
  })
}

/** Findings of one code are one line; errors first. */
function codesOf(findings: readonly Finding[]): (readonly [Finding, readonly Finding[]])[] {
  const byCode = new Map<string, Finding[]>()
  for (const finding of findings)
    byCode.set(`${finding.level} ${finding.code}`, [...(byCode.get(`${finding.level} ${finding.code}`) ?? []), finding])
  return [...byCode].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, all]) => (all[0] ? [[all[0], all] as const] : []))
}
