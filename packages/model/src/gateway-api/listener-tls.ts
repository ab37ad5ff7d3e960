/** The TLS settings of a listener, or why they cannot be used. */
import type { KubeObject, ServerTLSSettings } from '@lateen/api'
import type { Context } from '@lateen/graph'
import type { Inputs } from '../inputs.ts'
import { findAuthorities, findCertificate } from './certificates.ts'
import { GATEWAY_GROUP, mayRefer, type Referrer } from './grants.ts'
import { isProblem, type Problem } from './problem.ts'
import type { FrontendValidation, GatewaySpecView, ListenerSpec, ObjectReference } from './specs.ts'

const NETWORK_LABEL = 'topology.istio.io/network'
const OPTIONS = 'gateway.istio.io/'
/** Passing mutual TLS of the mesh on between networks has a port of its own. */
const CROSS_NETWORK_PORT = '15443'
const CROSS_NETWORK_PORT_LABEL = 'networking.istio.io/gatewayPort'

const badReference = (message: string): Problem => ({ reason: 'InvalidCertificateRef', message })

export interface ListenerTlsInput {
  readonly context: Context
  readonly inputs: Inputs
  /** The Gateway itself or a ListenerSet. */
  readonly owner: KubeObject
  readonly gateway: KubeObject
  readonly listener: ListenerSpec
}

/** Undefined for listeners without TLS. */
export function tlsOf(input: ListenerTlsInput): ServerTLSSettings | undefined | Problem {
  const { listener, gateway } = input
  if (listener.protocol !== 'HTTPS' && listener.protocol !== 'TLS') return undefined
  const { tls } = listener
  if (!tls) return badReference(`a listener of protocol ${listener.protocol} needs tls`)
  const option = (name: string) => tls.options?.[`${OPTIONS}${name}`]
  const ciphers = (option('tls-cipher-suites') ?? '').split(',').map((suite) => suite.trim())
  const known = ciphers.filter((suite) => /^(ECDHE-|AES|DES-)[A-Z0-9-]+$/.test(suite))
  const common: ServerTLSSettings = { ...(known.length > 0 && { cipherSuites: known }) }
  if (tls.mode === 'Passthrough') {
    const labels = gateway.metadata.labels ?? {}
    const crossing = String(listener.port) === (labels[CROSS_NETWORK_PORT_LABEL] ?? CROSS_NETWORK_PORT)
    const acrossNetworks = crossing && labels[NETWORK_LABEL] !== undefined
    const automatic = option('listener-protocol') === 'auto-passthrough' || acrossNetworks
    return { ...common, mode: automatic ? 'AUTO_PASSTHROUGH' : 'PASSTHROUGH' }
  }
  const terminate = option('tls-terminate-mode')
  if (terminate === 'ISTIO_MUTUAL') return { ...common, mode: 'ISTIO_MUTUAL' }
  if (terminate === 'ISTIO_SIMPLE') return { ...common, mode: 'SIMPLE', credentialName: 'builtin://' }
  const credentials = credentialsOf(input, tls.certificateRefs ?? [])
  if (isProblem(credentials)) return credentials
  const clients = clientsOf(input)
  if (isProblem(clients)) return clients
  const mutual = terminate === 'MUTUAL' || terminate === 'OPTIONAL_MUTUAL' ? terminate : clients?.mode
  return {
    ...common,
    mode: mutual ?? 'SIMPLE',
    ...credentials,
    ...(clients && { caCertCredentialName: clients.authorities }),
  }
}

/** The certificates that a listener shows. */
function credentialsOf(
  { context, inputs, owner }: ListenerTlsInput,
  refs: readonly ObjectReference[],
): Pick<ServerTLSSettings, 'credentialName' | 'credentialNames'> | Problem {
  const from: Referrer = { group: GATEWAY_GROUP, kind: owner.kind, namespace: owner.metadata.namespace ?? '' }
  const found: string[] = []
  for (const { group = '', kind = 'Secret', namespace = from.namespace, name } of refs) {
    if (group !== '' || kind !== 'Secret')
      return badReference(`certificateRefs may name Secrets only, not ${kind} "${name}" of group "${group}"`)
    if (!mayRefer(context, inputs, from, { group, kind, namespace, name })) return notPermitted(`Secret ${namespace}/${name}`, from)
    const state = findCertificate(context, inputs, `${namespace}/${name}`)
    if (state === 'absent') return badReference(`there is no Secret ${namespace}/${name} with a certificate`)
    if (state === 'malformed')
      return badReference(`Secret ${namespace}/${name}: tls.crt and tls.key must hold a certificate and a key in PEM`)
    found.push(`kubernetes-gateway://${namespace}/${name}`)
  }
  const [first] = found
  if (first === undefined) return badReference('certificateRefs names no certificate')
  return found.length === 1 ? { credentialName: first } : { credentialNames: found }
}

/** How clients' certificates are checked, as the Gateway says for the port. */
function clientsOf({
  context,
  inputs,
  gateway,
  listener,
}: ListenerTlsInput): { readonly mode: 'MUTUAL' | 'OPTIONAL_MUTUAL'; readonly authorities: string } | undefined | Problem {
  const frontend = ((gateway.spec ?? {}) as GatewaySpecView).tls?.frontend
  const own = frontend?.perPort?.find(({ port }) => port === listener.port)
  const validation: FrontendValidation | undefined = own ? own.tls?.validation : frontend?.default?.validation
  const refs = validation?.caCertificateRefs ?? []
  const [ref] = refs
  if (!validation || !ref || listener.protocol !== 'HTTPS') return undefined
  if (refs.length > 1) return badReference(`caCertificateRefs names ${refs.length} objects; only one can be used`)
  const from: Referrer = { group: GATEWAY_GROUP, kind: 'Gateway', namespace: gateway.metadata.namespace ?? '' }
  const { group = '', kind = 'ConfigMap', namespace = from.namespace, name } = ref
  if (group !== '' || (kind !== 'ConfigMap' && kind !== 'Secret'))
    return badReference(`caCertificateRefs may name a ConfigMap or a Secret only, not ${kind} "${name}" of group "${group}"`)
  if (!mayRefer(context, inputs, from, { group, kind, namespace, name })) return notPermitted(`${kind} ${namespace}/${name}`, from)
  const state = findAuthorities(context, inputs, kind, `${namespace}/${name}`)
  if (state === 'absent') return badReference(`there is no ${kind} ${namespace}/${name} with authorities`)
  if (state === 'malformed') return badReference(`${kind} ${namespace}/${name}: ca.crt must hold certificates in PEM`)
  const scheme = kind === 'ConfigMap' ? 'configmap' : 'kubernetes-gateway'
  const mode = validation.mode === 'AllowInsecureFallback' ? 'OPTIONAL_MUTUAL' : 'MUTUAL'
  return { mode, authorities: `${scheme}://${namespace}/${name}-cacert` }
}

const notPermitted = (what: string, from: Referrer): Problem => ({
  reason: 'RefNotPermitted',
  message: `${what} is in another namespace, and no ReferenceGrant there lets a ${from.kind} of namespace ${from.namespace} name it`,
})
