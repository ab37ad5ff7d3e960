/** Webhooks that lead to a control plane outside the cluster. */
import type { Analyzer, Report } from '../../analyzer.ts'
import type { WebhookView } from '../../kubernetes-views.ts'
import type { Resource } from '../../resource.ts'
import type { World } from '../../world.ts'

export const externalControlPlane: Analyzer = {
  name: 'externalcontrolplane.ExternalControlPlaneAnalyzer',
  description: 'Webhooks whose address of an external control plane cannot work',
  inputs: ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'],
  messages: ['InvalidExternalControlPlaneConfig', 'ExternalControlPlaneAddressIsNotAHostname'],
  analyze(world, report) {
    for (const { configuration, webhook, index } of world.index(externalWebhooks)) {
      check(world, { configuration, webhook, path: `webhooks[${index}].clientConfig` }, report)
    }
  },
}

/** The host names of such webhooks, for whoever can look them up. */
export function externalWebhookHosts(world: World): string[] {
  return world.index(externalWebhooks).flatMap(({ webhook }) => {
    const host = webhook.url === undefined ? undefined : hostOf(webhook.url)
    return host === undefined || isIpAddress(host) ? [] : [host]
  })
}

interface Place {
  readonly configuration: Resource
  readonly webhook: WebhookView
  readonly path: string
}

function externalWebhooks(world: World) {
  const validating = world
    .of('ValidatingWebhookConfiguration')
    .filter(({ name }) => name === 'istiod-default-validator' || name.startsWith('istio-validator'))
  const mutating = world.of('MutatingWebhookConfiguration').filter(({ name }) => name.startsWith('istio-sidecar-injector'))
  return [...validating, ...mutating].flatMap((configuration) =>
    configuration.spec.webhooks.map((webhook, index) => ({ configuration, webhook, index })),
  )
}

function check(world: World, { configuration, webhook, path }: Place, report: Report): void {
  const { url, name } = webhook
  const invalid = (hostname: string, msg: string) =>
    report('InvalidExternalControlPlaneConfig', configuration, { hostname, webhook: name, msg }, path)
  if (url === undefined) {
    if (!webhook.service) invalid('', 'is blank')
    return
  }
  const host = hostOf(url)
  if (host === undefined) invalid(url, 'is not part of a URL')
  else if (isIpAddress(host)) report('ExternalControlPlaneAddressIsNotAHostname', configuration, { hostname: url, webhook: name }, path)
  else if (host === '' || world.settings.unresolvableHosts.has(host)) invalid(url, 'does not exist in DNS')
}

/** Without the brackets of an IPv6 address; `undefined` when the text is no URL. */
function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[(.*)\]$/, '$1') : undefined
}

const isIpAddress = (host: string): boolean => host.includes(':') || /^\d{1,3}(\.\d{1,3}){3}$/.test(host)
