/** Configuration: what the analysis finds in all namespaces. */
import { ANALYZERS, analyze, documentationUrl, type Finding, inputKinds, World } from '@lateen/analysis'
import { readCluster } from '../analyze/cluster-resources.ts'
import { type CheckContext, type CheckResult, counted, error, LINKS, named, ok, warning } from './result.ts'

export async function configurationChecks({ cluster, now }: CheckContext): Promise<CheckResult[]> {
  const live = await readCluster(cluster, {
    kinds: inputKinds(ANALYZERS),
    namespace: undefined,
    revision: 'default',
    remoteContexts: [],
    kubeconfig: undefined,
    timeoutMs: cluster.timeoutMs * 2,
  })
  const { findings } = analyze(new World(live.resources, { ...live.settings, now: now.getTime() }), {
    analyzers: ANALYZERS,
    unavailable: live.unavailable,
  })
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
