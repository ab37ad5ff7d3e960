/** `x authz explain`: which policy and which rule decides a request, and what the others say of it. */
import { podFor } from '../../../routing/find-pod.ts'
import { travel } from '../../../routing/journey.ts'
import { REQUEST_FLAGS, targetOf } from '../../../routing/request-flags.ts'
import { loadWorld, WORLD_FLAGS } from '../../../routing/world.ts'
import { command, HOME_FLAG, OUTPUT_FLAG } from '../../../shell/command.ts'
import { type AuthorizationReport, authorizationReport, type ProxyVerdicts, type VerdictStep } from './verdicts.ts'

export const authzExplain = command<AuthorizationReport>({
  help:
    'Shows who a caller is to the proxies that a request passes, every rule of authorization that they ask, whether it matches, and which ' +
    'one decides. Signatures of tokens are taken for good, and external authorizers are not asked.\n\n' +
    'The configuration is that of the cluster, or of files (-f); it is translated by this program, nothing is sent.',
  args: [{ name: 'request', help: '[METHOD] URL, such as GET http://reviews:9080/reviews/0', variadic: true, optional: true }],
  flags: [...REQUEST_FLAGS, ...WORLD_FLAGS, OUTPUT_FLAG, HOME_FLAG],
  examples: [
    'lateen x authz explain --from deployment/productpage-v1 GET http://reviews:9080/reviews/0',
    'lateen x authz explain -f policies/ -f apps/ --from deployment/cart.shop POST http://payments.bank/charges -H "authorization: Bearer $TOKEN"',
  ],
  async run(context): Promise<AuthorizationReport> {
    const { target, from } = targetOf(context)
    const world = await loadWorld(context)
    return authorizationReport(world, travel(world, podFor(world, from), target, Date.now()))
  },
  render: (report, style) => {
    const { request, results, proxies, notes } = report
    const head = [`${request.method} ${request.url} from ${request.from}`, ...results.map((result) => `  ${result}`)]
    if (style === 'short') return head.join('\n')
    return [...head, ...proxies.flatMap(proxyLines), ...(notes.length > 0 ? ['', ...notes.map((note) => `note: ${note}`)] : [])].join('\n')
  },
})

function proxyLines({ proxy, caller, connection, steps }: ProxyVerdicts): string[] {
  const by = connection.map((object) => `    <- ${object}`)
  const none = steps.length === 0 && caller !== '' ? ['  no policy is asked'] : []
  return ['', `at ${proxy}`, `  caller: ${caller}`, ...by, ...none, ...steps.flatMap(stepLines)]
}

function stepLines({ stage, says, rules }: VerdictStep): string[] {
  return [
    `  ${stage}: ${says}`,
    ...rules.flatMap(({ rule, file, matches, decides, everySpelling, text }) => [
      `    ${MARK[matches]}${decides ? ', decides' : ''}: ${rule}${file ? ` (${file})` : ''}${everySpelling ? ', in every spelling' : ''}`,
      ...(text ? [`      ${text}`] : []),
    ]),
  ]
}

const MARK = {
  yes: 'matches',
  no: 'does not match',
  unknown: 'cannot be decided from here',
  'left out': 'left out here, for it asks for what is not there',
} as const
