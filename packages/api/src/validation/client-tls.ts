/** The check of TLS on the side that makes connections. */
import type { At } from '../diagnostics/at.ts'
import type { ClientTLSSettings } from '../kinds/destination-rule/destination-rule.ts'

export function checkClientTls(tls: ClientTLSSettings | undefined, at: At, { namespace }: { readonly namespace: string }): void {
  if (!tls) return
  checkConfigMapName(tls.credentialName, at.in('credentialName'), namespace)
  const { mode } = tls
  if (tls.insecureSkipVerify && (mode === 'SIMPLE' || mode === 'MUTUAL')) {
    if (tls.caCertificates) at.in('caCertificates').say('ClientTlsSkipVerify', { field: 'caCertificates' })
    if (tls.credentialName && mode === 'SIMPLE') at.in('credentialName').say('ClientTlsSkipVerify', { field: 'credentialName' })
    if (tls.subjectAltNames !== undefined) at.in('subjectAltNames').say('ClientTlsSkipVerify', { field: 'subjectAltNames' })
  }
  if ((mode === 'SIMPLE' || mode === 'MUTUAL') && tls.credentialName) {
    for (const field of ['clientCertificate', 'caCertificates', 'privateKey', 'caCrl'] as const) {
      if (tls[field]) at.in(field).say('ClientTlsCredential', { field })
    }
    return
  }
  if (mode !== 'MUTUAL') return
  for (const field of ['clientCertificate', 'privateKey'] as const) if (!tls[field]) at.in(field).say('ClientTlsMissing', { field })
}

const CONFIG_MAP = 'configmap://'

function checkConfigMapName(name: string | undefined, at: At, namespace: string): void {
  if (!name?.startsWith(CONFIG_MAP)) return
  const parts = name.slice(CONFIG_MAP.length).split('/')
  const own = parts.length === 1 || (parts.length === 2 && parts[0] === namespace)
  if (!own || parts.includes('') || namespace === '') at.say('ConfigMapCredential', { name })
}
