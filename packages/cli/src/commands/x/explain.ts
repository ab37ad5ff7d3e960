/** `x explain`: where a request goes and which objects cause it, or what a line of an access log says. */
import { readText } from '../../input/read-text.ts'
import { podFor } from '../../routing/find-pod.ts'
import { findingsOf } from '../../routing/findings.ts'
import { travel } from '../../routing/journey.ts'
import { explainLog, type LogReport, renderLogReport } from '../../routing/log-report.ts'
import { type Report, reportOf } from '../../routing/report.ts'
import { renderReport } from '../../routing/report-text.ts'
import { REQUEST_FLAGS, targetOf } from '../../routing/request-flags.ts'
import { loadWorld, WORLD_FLAGS } from '../../routing/world.ts'
import { type Context, command, HOME_FLAG, OUTPUT_FLAG } from '../../shell/command.ts'

type Explanation = (Report & { readonly kind: 'request' }) | (LogReport & { readonly kind: 'log' })

export const explain = command<Explanation>({
  help:
    'Shows the way of a request: listener, filter chain, route, cluster, endpoint, and what the proxy of the endpoint does with it; each step with the ' +
    'object that caused it. With --log, explains a line of an access log instead: what its flags mean, and the way that the request takes now.\n\n' +
    'The configuration is that of the cluster, or of files (-f); it is translated by this program, nothing is sent.',
  args: [{ name: 'request', help: '[METHOD] URL, such as GET http://reviews:9080/reviews/0', variadic: true, optional: true }],
  flags: [
    ...REQUEST_FLAGS,
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
  const { target, from } = targetOf(context)
  const world = await loadWorld(context)
  const now = Date.now()
  const report = reportOf(world, travel(world, podFor(world, from), target, now))
  const objects = [...report.steps, ...report.branches.flatMap(({ steps }) => steps)].flatMap(({ causes }) => causes)
  return { ...report, notes: [...report.notes, ...findingsOf(world, objects, now)] }
}
