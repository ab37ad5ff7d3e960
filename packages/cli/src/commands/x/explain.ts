/** `x explain`: where a request goes and which objects cause it, or what a line of an access log says. */
import { readText } from '../../input/read-text.ts'
import { podFor } from '../../routing/find-pod.ts'
import { travel } from '../../routing/journey.ts'
import { explainLog, type LogReport, renderLogReport } from '../../routing/log-report.ts'
import { type Report, reportOf } from '../../routing/report.ts'
import { renderReport } from '../../routing/report-text.ts'
import { parseTarget } from '../../routing/target.ts'
import { loadWorld, WORLD_FLAGS } from '../../routing/world.ts'
import { type Context, command, HOME_FLAG, OUTPUT_FLAG } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'

type Explanation = (Report & { readonly kind: 'request' }) | (LogReport & { readonly kind: 'log' })

export const explain = command<Explanation>({
  help:
    'Shows the way of a request: listener, filter chain, route, cluster, endpoint, and what the proxy of the endpoint does with it; each step with the ' +
    'object that caused it. With --log, explains a line of an access log instead: what its flags mean, and the way that the request takes now.\n\n' +
    'The configuration is that of the cluster, or of files (-f); it is translated by this program, nothing is sent.',
  args: [{ name: 'request', help: '[METHOD] URL, such as GET http://reviews:9080/reviews/0', variadic: true, optional: true }],
  flags: [
    {
      name: 'from',
      value: 'POD',
      help: 'who asks: [<type>/]<name>[.<namespace>], such as deployment/productpage-v1; a gateway for requests from outside',
    },
    { name: 'header', short: 'H', value: 'HEADER', type: 'list', help: 'header of the request, as "name: value"; may be repeated' },
    { name: 'request', short: 'X', value: 'METHOD', help: 'method (default: GET)' },
    { name: 'log', value: 'LINE', help: 'line of an access log, as text or JSON; - reads standard input' },
    ...WORLD_FLAGS,
    OUTPUT_FLAG,
    HOME_FLAG,
  ],
  examples: [
    'lateen x explain --from deployment/productpage-v1 http://reviews:9080/reviews/0 -H "end-user: jason"',
    'lateen x explain --from deployment/istio-ingressgateway.istio-system GET http://shop.example.com/cart',
    'lateen x explain -f bookinfo.yaml -f routes/ --from deployment/productpage-v1 http://reviews:9080/',
    'kubectl logs deploy/productpage-v1 -c istio-proxy | tail -1 | lateen x explain --log -',
  ],
  async run(context): Promise<Explanation> {
    const log = context.flags.text('log')
    if (log !== undefined) return { kind: 'log', ...(await explainLog(context, log === '-' ? readText('-') : log)) }
    return { kind: 'request', ...(await explainRequest(context)) }
  },
  render: (explanation, style) => (explanation.kind === 'log' ? renderLogReport(explanation, style) : renderReport(explanation, style)),
})

async function explainRequest(context: Context): Promise<Report> {
  const { flags } = context
  const [first, second, ...more] = context.args
  const [method, url] = second === undefined ? [flags.text('request'), first] : [first, second]
  if (url === undefined || more.length > 0)
    throw new CommandError('a request is missing: [METHOD] URL, such as GET http://reviews:9080/reviews/0, or --log LINE', {
      exitCode: EXIT.usage,
    })
  const target = parseTarget(url, { method, headers: flags.list('header') })
  const from = flags.text('from')
  if (from === undefined)
    throw new CommandError('--from is missing: who asks? A pod or workload, such as deployment/productpage-v1, or a gateway', {
      exitCode: EXIT.usage,
    })
  const world = await loadWorld(context)
  return reportOf(world, travel(world, podFor(world, from), target, Date.now()))
}
