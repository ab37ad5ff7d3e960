/** `check`: one health check of everything. All checks run, whatever the others find. */
import { withCluster } from '../../cluster/connect.ts'
import { type Context, command, OUTPUT_FLAG, Outcome } from '../../shell/command.ts'
import { EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { takesColor } from '../analyze/output.ts'
import { apiServerChecks } from './api-server.ts'
import { certificateChecks } from './certificates.ts'
import { configurationChecks } from './configuration.ts'
import { controlPlaneChecks } from './control-plane.ts'
import { gatewayChecks } from './gateways.ts'
import { injectionChecks } from './injection.ts'
import { proxyChecks } from './proxies.ts'
import { type CheckContext, type CheckGroup, type CheckResult, counted, error, LINKS } from './result.ts'
import { webhookChecks } from './webhooks.ts'

interface Group {
  readonly name: string
  readonly run: (context: CheckContext) => Promise<CheckResult[]>
}

const UNREACHABLE = 'nothing else is asked before the API server answers; another cluster is named with --context or --kubeconfig'

const API_SERVER: Group = { name: 'Kubernetes', run: apiServerChecks }

const GROUPS: readonly Group[] = [
  { name: 'Control plane', run: controlPlaneChecks },
  { name: 'Webhooks', run: webhookChecks },
  { name: 'Proxies', run: proxyChecks },
  { name: 'Certificates', run: certificateChecks },
  { name: 'Injection', run: injectionChecks },
  { name: 'Gateways', run: gatewayChecks },
  { name: 'Configuration', run: configurationChecks },
]

interface Health {
  readonly state: CheckResult['state']
  readonly groups: readonly CheckGroup[]
  /** For people on a terminal; not part of the machine forms. */
  toJSON(): unknown
  readonly colored: boolean
}

export const check = command<Health>({
  help: 'Checks the whole mesh: API server, control plane, webhooks and their CA, proxies, certificates, injection, gateways, and what the analysis finds. Every finding has a hint. Exit code 1 when something is broken; warnings do not count.',
  flags: [{ ...OUTPUT_FLAG, default: 'table', help: 'table, short (only what is wrong), json or yaml' }, ...KUBE_FLAGS],
  examples: ['lateen check', 'lateen check -o short', 'lateen check -o json --context production'],
  async run(context) {
    const groups = await withCluster(context, async (cluster) => {
      const checks: CheckContext = { cluster, now: new Date() }
      const examine = async ({ name, run }: Group): Promise<CheckGroup> => ({
        name,
        results: await attempt(name, 'see the other groups: this may follow from what they say', () => run(checks)),
      })
      const first = { name: API_SERVER.name, results: await attempt(API_SERVER.name, UNREACHABLE, () => API_SERVER.run(checks)) }
      // Without an answer of the API server, nothing else can be asked.
      return first.results.length === 1 && first.results[0]?.state === 'error'
        ? [first]
        : [first, ...(await Promise.all(GROUPS.map(examine)))]
    })
    return new Outcome(healthOf(groups, context), stateOf(groups) === 'error' ? EXIT.failure : EXIT.ok)
  },
  render: (health, style) => (style === 'short' ? shortText(health) : longText(health)),
})

/** What cannot be looked at is an error of its own; the other groups are looked at all the same. */
async function attempt(name: string, hint: string, run: () => Promise<CheckResult[]>): Promise<CheckResult[]> {
  try {
    return await run()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    return [error(`${name} can be examined`, why, { hint, link: LINKS.installation })]
  }
}

function healthOf(groups: readonly CheckGroup[], { env }: Pick<Context, 'env'>): Health {
  const state = stateOf(groups)
  return { state, groups, colored: takesColor(env), toJSON: () => ({ state, groups }) }
}

function stateOf(groups: readonly CheckGroup[]): CheckResult['state'] {
  const states = new Set(groups.flatMap(({ results }) => results.map(({ state }) => state)))
  return states.has('error') ? 'error' : states.has('warning') ? 'warning' : 'ok'
}

const MARKS = { ok: 'ok   ', warning: 'WARN ', error: 'ERROR' } as const
const COLORS = { ok: '\u001b[32m', warning: '\u001b[33m', error: '\u001b[1;31m' } as const
const RESET = '\u001b[0m'

function longText({ groups, colored }: Health): string {
  const mark = (state: CheckResult['state']) => (colored ? `${COLORS[state]}${MARKS[state]}${RESET}` : MARKS[state])
  const lines = groups.flatMap(({ name, results }) => [name, ...results.flatMap((result) => resultLines(result, mark(result.state))), ''])
  return [...lines, conclusion(groups)].join('\n')
}

function resultLines({ check: what, detail, hint, link }: CheckResult, mark: string): string[] {
  const indent = ' '.repeat(8)
  return [
    `  ${mark} ${what}${detail === '' ? '' : `: ${detail}`}`,
    ...(hint === undefined ? [] : [`${indent}hint: ${hint}`]),
    ...(link === undefined ? [] : [`${indent}${link}`]),
  ]
}

function shortText({ groups }: Health): string {
  const wrong = groups.flatMap(({ name, results }) =>
    results.filter(({ state }) => state !== 'ok').map(({ state, check: what, detail }) => `${state}: ${name}: ${detail || what}`),
  )
  return [...wrong, conclusion(groups)].join('\n')
}

function conclusion(groups: readonly CheckGroup[]): string {
  const results = groups.flatMap((group) => group.results)
  const count = (state: CheckResult['state']) => results.filter((result) => result.state === state).length
  if (stateOf(groups) === 'ok') return `all ${counted(results.length, 'check')} passed`
  return `${counted(results.length, 'check')}: ${counted(count('error'), 'error')}, ${counted(count('warning'), 'warning')}`
}
