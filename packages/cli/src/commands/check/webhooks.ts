/** Injection and validation as the API server sees them: webhooks, their CA, their Service. */
import { X509Certificate } from 'node:crypto'
import { type ConfigMap, type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { isNotFound } from '@lateen/kube'
import { at, list, text } from '../../config-dump/fields.ts'
import { type CheckContext, type CheckResult, error, LINKS, named, ok, warning } from './result.ts'

interface Hook {
  /** `configuration/webhook`. */
  readonly name: string
  readonly caBundle: string
  readonly failurePolicy: string
  readonly service: { readonly name: string; readonly namespace: string } | undefined
}

export async function webhookChecks({ cluster, now }: CheckContext): Promise<CheckResult[]> {
  const { client } = cluster
  const [mutating, validating] = await Promise.all([
    client.list(RESOURCE_TYPES.MutatingWebhookConfiguration),
    client.list(RESOURCE_TYPES.ValidatingWebhookConfiguration),
  ])
  const injectors = hooksOf(mutating.items, 'sidecar-injector.istio.io')
  const validators = hooksOf(validating.items, 'validation.istio.io')
  return [
    existCheck(injectors, validators),
    caCheck([...injectors, ...validators], await meshRoots(cluster), now),
    await serviceCheck(cluster, [...injectors, ...validators]),
    policyCheck(injectors),
  ]
}

function hooksOf(configurations: readonly KubeObject[], suffix: string): Hook[] {
  return configurations.flatMap((configuration) =>
    list(at(configuration, 'webhooks'))
      .filter((each) => text(at(each, 'name')).endsWith(suffix))
      .map((each) => {
        const service = at(each, 'clientConfig', 'service')
        return {
          name: `${configuration.metadata.name}/${text(at(each, 'name'))}`,
          caBundle: text(at(each, 'clientConfig', 'caBundle')),
          failurePolicy: text(at(each, 'failurePolicy')) || 'Fail',
          service: service === undefined ? undefined : { name: text(at(service, 'name')), namespace: text(at(service, 'namespace')) },
        }
      }),
  )
}

function existCheck(injectors: readonly Hook[], validators: readonly Hook[]): CheckResult {
  const check = 'pods are brought to the injector, configuration to validation'
  const missing = [...(injectors.length === 0 ? ['the injector'] : []), ...(validators.length === 0 ? ['validation'] : [])]
  if (missing.length === 0) return ok(check)
  const advice = { hint: 'install the control plane again: its webhooks were removed', link: LINKS.webhooks }
  const detail = `there is no webhook for ${missing.join(' and ')}`
  return injectors.length === 0 ? error(check, detail, advice) : warning(check, detail, advice)
}

/** The roots that istiod gives to namespaces; none when it cannot be read. */
async function meshRoots({ client, istioNamespace }: CheckContext['cluster']): Promise<string | undefined> {
  try {
    return (await client.get<ConfigMap>(RESOURCE_TYPES.ConfigMap, istioNamespace, 'istio-ca-root-cert')).data?.['root-cert.pem']
  } catch (cause) {
    if (isNotFound(cause)) return undefined
    throw cause
  }
}

function caCheck(hooks: readonly Hook[], roots: string | undefined, now: Date): CheckResult {
  const check = 'the API server trusts the control plane'
  const advice = {
    hint: 'istiod writes the CA bundle of its webhooks itself: see its log for "validation" and "injection"',
    link: LINKS.webhooks,
  }
  const empty = hooks.filter(({ caBundle, service }) => caBundle === '' && service !== undefined)
  if (empty.length > 0) return error(check, `without a CA bundle: ${named(empty.map(({ name }) => name))}`, advice)
  const known = roots === undefined ? undefined : new Set(certificatesOf(roots).map(({ fingerprint256 }) => fingerprint256))
  const problems = hooks.flatMap(({ name, caBundle }) => {
    const bundle = certificatesOf(Buffer.from(caBundle, 'base64').toString('utf8'))
    if (caBundle === '') return []
    if (bundle.length === 0) return [`${name}: the CA bundle holds no certificate`]
    if (bundle.every(({ validTo }) => new Date(validTo) < now)) return [`${name}: the CA bundle has expired`]
    // An own certificate of the webhooks may be of another CA: only what is nobody's is told.
    return known && !bundle.some(({ fingerprint256 }) => known.has(fingerprint256))
      ? [`${name}: the CA bundle is not the CA of the mesh`]
      : []
  })
  return problems.length === 0 ? ok(check) : error(check, named(problems), advice)
}

function certificatesOf(pem: string): X509Certificate[] {
  return [...pem.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)].flatMap(([one]) => {
    try {
      return [new X509Certificate(one)]
    } catch {
      return []
    }
  })
}

async function serviceCheck({ client }: CheckContext['cluster'], hooks: readonly Hook[]): Promise<CheckResult> {
  const check = 'the webhooks lead to a running control plane'
  const services = new Map(hooks.flatMap(({ service }) => (service ? [[`${service.namespace}/${service.name}`, service] as const] : [])))
  const problems = await Promise.all(
    [...services].map(async ([key, { namespace, name }]) => {
      const slices = await client.list(RESOURCE_TYPES.EndpointSlice, { namespace, labelSelector: `kubernetes.io/service-name=${name}` })
      const ready = slices.items
        .flatMap((slice) => [...list(at(slice, 'endpoints'))])
        .filter((endpoint) => at(endpoint, 'conditions', 'ready') !== false)
      return ready.length === 0 ? [`Service ${key} has no ready endpoint`] : []
    }),
  )
  const found = problems.flat()
  if (found.length === 0) return ok(check)
  return error(check, named(found), {
    hint: 'no pod can be created in injected namespaces until it has: start the control plane',
    link: LINKS.webhooks,
  })
}

/** Validation that is passed over lets a wrong object in, which the analysis then shows; a pod without its proxy talks in plain text. */
function policyCheck(injectors: readonly Hook[]): CheckResult {
  const check = 'no pod starts without the proxy that it should have'
  const lax = injectors.filter(({ failurePolicy }) => failurePolicy === 'Ignore').map(({ name }) => name)
  if (lax.length === 0) return ok(check)
  return warning(check, `failurePolicy is Ignore: ${named(lax)}`, {
    hint: 'while the control plane is down, pods start without proxies; set failurePolicy to Fail',
    link: LINKS.webhooks,
  })
}
