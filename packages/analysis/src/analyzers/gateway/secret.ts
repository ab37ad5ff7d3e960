/** Credentials of gateways: a Secret beside the workload, with a certificate that holds now. */
import type { Analyzer, Report } from '../../analyzer.ts'
import { podsWith } from '../../indexes/pods.ts'
import type { SecretView } from '../../kubernetes-views.ts'
import { selectorPath, selectorText } from '../../labels.ts'
import type { Resource } from '../../resource.ts'
import type { World } from '../../world.ts'
import { validityOf } from './certificate-validity.ts'

export const secret: Analyzer = {
  name: 'gateway.SecretAnalyzer',
  description: 'Credentials of gateways that are missing, broken or expired',
  inputs: ['Gateway', 'Pod', 'Secret'],
  messages: ['ReferencedResourceNotFound', 'InvalidGatewayCredential'],
  analyze(world, report) {
    for (const gateway of world.of('Gateway')) check(world, gateway, report)
  },
}

function check(world: World, gateway: Resource<'Gateway'>, report: Report): void {
  const selector = gateway.spec.selector ?? {}
  const namespace = podsWith(world, selector)[0]?.namespace
  if (namespace === undefined) {
    const path = selectorPath('spec.selector', selector)
    report('ReferencedResourceNotFound', gateway, { reftype: 'selector', refval: selectorText(selector) }, path)
    return
  }
  for (const [i, { tls }] of (gateway.spec.servers ?? []).entries()) {
    const names = [
      ...(tls?.credentialName ? [{ name: tls.credentialName, path: `spec.servers[${i}].tls.credentialName` }] : []),
      ...(tls?.credentialNames ?? []).map((name, j) => ({ name, path: `spec.servers[${i}].tls.credentialNames[${j}]` })),
    ]
    for (const { name, path } of names) {
      const slash = name.indexOf('/')
      const found = slash < 0 ? world.find('Secret', namespace, name) : world.find('Secret', name.slice(0, slash), name.slice(slash + 1))
      if (!found) report('ReferencedResourceNotFound', gateway, { reftype: 'credentialName', refval: name }, path)
      else if (!isUsable(found.spec, world.settings.now)) {
        report('InvalidGatewayCredential', gateway, { gatewayName: gateway.name, gatewayNamespace: namespace }, path)
      }
    }
  }
}

/** Names of certificate and key, in the two forms that a Secret may have. */
const FORMS = [
  ['cert', 'key'],
  ['tls.crt', 'tls.key'],
] as const

function isUsable({ data }: SecretView, now: number): boolean {
  const form = FORMS.find(([cert, key]) => data[cert] && data[key])
  const validity = form && validityOf(data[form[0]] ?? '')
  return validity !== undefined && validity.notBefore <= now && now <= validity.notAfter
}
