/** TLS to a destination whose certificate nobody verifies. */
import type { Analyzer } from '../../analyzer.ts'
import { fullName } from '../../resource.ts'

export const caCertificates: Analyzer = {
  name: 'destinationrule.CaCertificateAnalyzer',
  description: 'DestinationRules with TLS mode SIMPLE or MUTUAL and no CA certificates',
  inputs: ['DestinationRule'],
  messages: ['NoServerCertificateVerificationDestinationLevel', 'NoServerCertificateVerificationPortLevel'],
  analyze(world, report) {
    for (const rule of world.of('DestinationRule')) {
      const { host = '', trafficPolicy, workloadSelector } = rule.spec
      const known = { destinationrule: fullName(rule), namespace: rule.namespace, host }
      const mode = unverifiedMode(trafficPolicy?.tls, workloadSelector !== undefined)
      if (mode !== undefined) {
        const path = 'spec.trafficPolicy.tls.caCertificates'
        report('NoServerCertificateVerificationDestinationLevel', rule, { ...known, mode }, path)
      }
      for (const [i, { port, tls }] of (trafficPolicy?.portLevelSettings ?? []).entries()) {
        const portMode = unverifiedMode(tls, workloadSelector !== undefined)
        if (portMode === undefined) continue
        const path = `spec.trafficPolicy.portLevelSettings[${i}].tls.caCertificates`
        report('NoServerCertificateVerificationPortLevel', rule, { ...known, mode: portMode, port: `number:${port?.number ?? 0}` }, path)
      }
    }
  },
}

interface TlsSettings {
  readonly mode?: string | undefined
  readonly caCertificates?: string | undefined
  readonly credentialName?: string | undefined
}

/** The mode, when the server's certificate is not verified. A credential counts only where the rule is for chosen workloads. */
function unverifiedMode(tls: TlsSettings | undefined, hasWorkloadSelector: boolean): string | undefined {
  if (tls?.mode !== 'SIMPLE' && tls?.mode !== 'MUTUAL') return undefined
  return tls.caCertificates || (tls.credentialName && hasWorkloadSelector) ? undefined : tls.mode
}
