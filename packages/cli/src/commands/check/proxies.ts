/** The proxies: connected, in sync, nothing refused, of the version of the control plane. */
import { askIstiods, findIstiods } from '../../cluster/istiod.ts'
import { type ProxyState, readSyncStatus } from '../proxy-status/sync-status.ts'
import { type CheckContext, type CheckResult, counted, error, LINKS, named, ok, warning } from './result.ts'

export async function proxyChecks({ cluster }: CheckContext): Promise<CheckResult[]> {
  const { answers, faults } = await askIstiods(cluster, '/debug/syncz')
  const proxies = readSyncStatus(answers)
  const versions = new Set((await findIstiods(cluster)).map(({ metadata }) => metadata.labels?.['app.kubernetes.io/version'] ?? ''))
  return [
    ok(
      'proxies are connected',
      `${counted(proxies.length, 'proxy', 'proxies')}${faults.length > 0 ? `; ${faults.length} replicas did not answer` : ''}`,
    ),
    refusalCheck(proxies),
    syncCheck(proxies),
    versionCheck(proxies, versions),
  ]
}

function refusalCheck(proxies: readonly ProxyState[]): CheckResult {
  const check = 'every proxy accepts its configuration'
  const refused = proxies.flatMap(({ proxy, types }) =>
    types.flatMap(({ type, error: why }) => (why ? [`${proxy} refuses ${type}: ${why}`] : [])),
  )
  if (refused.length === 0) return ok(check)
  return error(check, named(refused), {
    hint: 'lateen proxy-status POD shows what differs; lateen analyze -A often names the object',
    link: LINKS.proxies,
  })
}

function syncCheck(proxies: readonly ProxyState[]): CheckResult {
  const check = 'every proxy has its newest configuration'
  const stale = proxies.flatMap(({ proxy, types }) => {
    const late = types.filter(({ state, error: why }) => state.startsWith('STALE') && !why).map(({ type }) => type)
    return late.length > 0 ? [`${proxy} (${late.join(', ')})`] : []
  })
  if (stale.length === 0) return ok(check)
  return warning(check, `${counted(stale.length, 'proxy has', 'proxies have')} not answered the last push: ${named(stale)}`, {
    hint: 'after a change that lasts a moment; else see the log of istio-proxy in these pods',
    link: LINKS.proxies,
  })
}

function versionCheck(proxies: readonly ProxyState[], versions: ReadonlySet<string>): CheckResult {
  const check = 'the proxies are of the version of a control plane'
  const old = proxies.filter(({ version }) => version !== '' && !versions.has(version)).map(({ proxy, version }) => `${proxy} (${version})`)
  if (old.length === 0 || versions.has('')) return ok(check)
  return warning(check, `${counted(old.length, 'proxy is', 'proxies are')} not: ${named(old)}`, {
    hint: 'restart these workloads: kubectl rollout restart deployment -n NAMESPACE',
    link: LINKS.upgrade,
  })
}
