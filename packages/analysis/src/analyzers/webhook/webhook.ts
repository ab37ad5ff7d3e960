/** Injection webhooks that would inject one pod twice, or lead to a service that is not there. */
import { matchesLabelSelector } from '@lateen/api'
import type { Analyzer, Report } from '../../analyzer.ts'
import { REVISION_LABEL } from '../../indexes/in-mesh.ts'
import type { Labels, WebhookView } from '../../kubernetes-views.ts'
import { fullName, type Resource } from '../../resource.ts'

type Configuration = Resource<'MutatingWebhookConfiguration'>

interface Hook {
  readonly configuration: Configuration
  readonly webhook: WebhookView
  /** `configuration/webhook` */
  readonly name: string
  readonly path: string
}

export const webhook: Analyzer = {
  name: 'webhook.Analyzer',
  description: 'Injection webhooks that overlap or lead nowhere',
  inputs: ['MutatingWebhookConfiguration', 'Service'],
  messages: ['InvalidWebhook'],
  analyze(world, report) {
    const configurations = world.of('MutatingWebhookConfiguration').filter((one) => revisionsOf(one).length > 0 || isIstios(one))
    const hooks = configurations.flatMap(hooksOf)
    checkOverlaps(hooks, new Set(configurations.flatMap(revisionsOf)), report)
    for (const {
      configuration,
      webhook: { service },
      path,
    } of hooks) {
      if (!service || world.find('Service', service.namespace, service.name)) continue
      const error = `The injector leads to the control plane service ${fullName(service)}, which does not exist.`
      report('InvalidWebhook', configuration, { error }, path)
    }
  },
}

const isIstios = ({ spec }: Configuration): boolean => spec.webhooks.some(({ name }) => name.endsWith('istio.io'))

function hooksOf(configuration: Configuration): Hook[] {
  return configuration.spec.webhooks.map((one, i) => ({
    configuration,
    webhook: one,
    name: `${configuration.name}/${one.name}`,
    path: `webhooks[${i}]`,
  }))
}

function revisionsOf({ labels, spec }: Configuration): string[] {
  const own = labels[REVISION_LABEL]
  const selected = spec.webhooks.flatMap(({ namespaceSelector, objectSelector }) =>
    [namespaceSelector, objectSelector].flatMap((selector) => {
      const exact = selector.matchLabels?.[REVISION_LABEL]
      const listed = (selector.matchExpressions ?? []).filter(({ key }) => key === REVISION_LABEL).flatMap(({ values = [] }) => values)
      return exact === undefined ? listed : [exact, ...listed]
    }),
  )
  return own === undefined ? selected : [own, ...selected]
}

/** Every way in which a namespace and a pod may ask for injection is to reach one webhook at most. */
function checkOverlaps(hooks: readonly Hook[], revisions: ReadonlySet<string>, report: Report): void {
  const reported = new Set<string>()
  for (const namespace of labelSets('istio-injection', ['enabled', 'disabled'], revisions)) {
    const forNamespace = hooks.filter((hook) => matchesLabelSelector(hook.webhook.namespaceSelector, namespace))
    if (forNamespace.length < 2) continue
    for (const object of labelSets('sidecar.istio.io/inject', ['true', 'false'], revisions)) {
      const matching = forNamespace.filter((hook) => matchesLabelSelector(hook.webhook.objectSelector, object))
      const key = matching.map(({ name }) => name).join()
      if (matching.length < 2 || reported.has(key)) continue
      reported.add(key)
      for (const hook of matching) sayOverlap(hook, matching, report)
    }
  }
}

function sayOverlap(hook: Hook, matching: readonly Hook[], report: Report): void {
  const others = [...new Set(matching.map(({ name }) => name))].filter((name) => name !== hook.name).sort()
  if (others.length === 0) return
  const error = `Webhook overlaps with others: [${others.join(' ')}]. This may cause injection to occur twice.`
  report('InvalidWebhook', hook.configuration, { error }, hook.path)
}

function labelSets(label: string, values: readonly string[], revisions: ReadonlySet<string>): Labels[] {
  const plain: Labels[] = [{}, ...values.map((value) => ({ [label]: value }))]
  return [...plain, ...[...revisions].flatMap((revision) => plain.map((labels) => ({ ...labels, [REVISION_LABEL]: revision })))]
}
