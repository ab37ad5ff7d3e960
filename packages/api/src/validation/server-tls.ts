/** The check of TLS on the side that accepts connections (gateways, sidecars' ingress). */
import type { At } from '../diagnostics/at.ts'
import { CIPHER_SUITES } from '../messages/cipher-suites.ts'
import type { ServerTLSSettings } from '../messages/server-tls-settings.ts'

export function checkServerTls(tls: ServerTLSSettings | undefined, at: At): void {
  if (!tls) return
  checkCiphers(tls, at)
  const mode = tls.mode ?? 'PASSTHROUGH'
  if (mode === 'ISTIO_MUTUAL') return checkIstioMutual(tls, at)
  if (mode === 'PASSTHROUGH' || mode === 'AUTO_PASSTHROUGH') return checkPassthrough(tls, mode, at)
  checkCertificates(tls, mode, at)
}

function checkCiphers(tls: ServerTLSSettings, at: At): void {
  const suites = tls.cipherSuites ?? []
  if ((tls.minProtocolVersion === 'TLSV1_0' || tls.minProtocolVersion === 'TLSV1_1') && suites.length === 0)
    at.in('minProtocolVersion').say('OldTlsCiphers')
  // Envoy's cipher texts also hold operators (`-NAME`, `+NAME`) and groups.
  const known = (suite: string) => suite === '' || suite === 'ALL' || !/^[\p{L}\p{N}]/u.test(suite) || CIPHER_SUITES.has(suite)
  const unknown = suites.filter((suite) => !known(suite))
  const twice = suites.filter((suite, i) => known(suite) && suites.indexOf(suite) !== i)
  if (unknown.length > 0) at.in('cipherSuites').say('UnknownCiphers', { suites: [...new Set(unknown)].sort().join(', ') })
  if (twice.length > 0) at.in('cipherSuites').say('DuplicateCiphers', { suites: [...new Set(twice)].sort().join(', ') })
}

function checkPassthrough(tls: ServerTLSSettings, mode: string, at: At): void {
  const files = [tls.caCrl, tls.serverCertificate, tls.privateKey, tls.caCertificates, tls.credentialName]
  if (files.some(Boolean) || tls.credentialNames?.length || tls.tlsCertificates?.length) at.say('PassthroughCertificates', { mode })
  checkOneSource(tls, at)
  if (tls.caCrl && tls.credentialName) at.in('caCrl').say('CrlWithCredential')
}

function checkOneSource(tls: ServerTLSSettings, at: At): boolean {
  const pair = Boolean(tls.serverCertificate && tls.privateKey)
  const sources = [Boolean(tls.credentialName), Boolean(tls.credentialNames?.length), pair, Boolean(tls.tlsCertificates?.length)]
  const one = sources.filter(Boolean).length <= 1
  if (!one) at.say('OneCertificateSource')
  return one
}

function checkIstioMutual(tls: ServerTLSSettings, at: At): void {
  for (const field of ['serverCertificate', 'privateKey', 'caCertificates', 'credentialName'] as const) {
    if (tls[field]) at.in(field).say('MutualTlsWith', { mode: 'ISTIO_MUTUAL', field })
  }
  if (tls.credentialNames?.length) at.in('credentialNames').say('MutualTlsWith', { mode: 'ISTIO_MUTUAL', field: 'credentialNames' })
  if (tls.tlsCertificates?.length) at.in('tlsCertificates').say('MutualTlsWith', { mode: 'ISTIO_MUTUAL', field: 'tlsCertificates' })
}

function checkCertificates(tls: ServerTLSSettings, mode: 'SIMPLE' | 'MUTUAL' | 'OPTIONAL_MUTUAL', at: At): void {
  if (!checkOneSource(tls, at)) return
  // Certificates that the control plane fetches bring all that is needed.
  if (tls.credentialName || tls.credentialNames?.length) return
  if (mode !== 'SIMPLE' && !tls.caCertificates && !tls.caCertCredentialName)
    at.in('caCertificates').say('TlsNeeds', { mode, field: 'caCertificates' })
  const count = tls.tlsCertificates?.length ?? 0
  if (count > 2) at.in('tlsCertificates').say('TooManyCertificates', { count })
  if (tls.tlsCertificates?.length) {
    at.in('tlsCertificates').each(tls.tlsCertificates, (certificate, place) => {
      checkPair(certificate, mode, place)
    })
  } else checkPair(tls, mode, at)
  if (tls.caCrl && mode === 'SIMPLE') at.in('caCrl').say('CrlWithSimple')
}

function checkPair(pair: { readonly serverCertificate?: string; readonly privateKey?: string }, mode: string, at: At): void {
  for (const field of ['serverCertificate', 'privateKey'] as const) if (!pair[field]) at.in(field).say('TlsNeeds', { mode, field })
}
