/** Gateways that share a certificate: a client's HTTP/2 connection to one of them is reused for hosts of the other. */
import { hasLabels, type ServerTLSSettings } from '@lateen/api'
import type { Analyzer } from '../../analyzer.ts'
import { fullName, type Resource } from '../../resource.ts'
import { groupBy, type World } from '../../world.ts'

type Gateway = Resource<'Gateway'>

export const certificate: Analyzer = {
  name: 'gateway.CertificateAnalyzer',
  description: 'Gateways that use the same certificate',
  inputs: ['Gateway'],
  messages: ['GatewayDuplicateCertificate'],
  analyze(world, report) {
    const users = world.index(byCertificate)
    for (const gateway of world.of('Gateway')) {
      const others = new Set([...certificatesOf(gateway)].flatMap((name) => users.get(name) ?? []))
      for (const other of others) {
        if (other === gateway || !takesWorkloadsOf(world, gateway, other)) continue
        report('GatewayDuplicateCertificate', gateway, { gateways: [fullName(gateway), fullName(other)] }, 'metadata.name')
      }
    }
  },
}

/** Whether the workloads of `other` are among those that the gateway selects. */
function takesWorkloadsOf(world: World, gateway: Gateway, other: Gateway): boolean {
  if (world.settings.scopeGatewayToNamespace && gateway.namespace !== other.namespace) return false
  return hasLabels(other.spec.selector ?? {}, gateway.spec.selector ?? {})
}

function byCertificate(world: World): Map<string, Gateway[]> {
  const uses = world.of('Gateway').flatMap((gateway) => [...certificatesOf(gateway)].map((name) => ({ gateway, name })))
  return new Map([...groupBy(uses, ({ name }) => name)].map(([name, entries]) => [name, entries.map(({ gateway }) => gateway)]))
}

function certificatesOf({ spec }: Gateway): Set<string> {
  return new Set((spec.servers ?? []).flatMap(({ tls }) => certificateName(tls) ?? []))
}

/** A credential, whatever files stand beside it, or a certificate with its key. */
function certificateName(tls: ServerTLSSettings | undefined): string | undefined {
  const { credentialName = '', serverCertificate = '', privateKey = '' } = tls ?? {}
  if (credentialName !== '') return credentialName
  return serverCertificate !== '' && privateKey !== '' ? [serverCertificate, privateKey].join('\u0000') : undefined
}
