/**
 * The injection webhook's answer to the API server: AdmissionReview in, AdmissionReview out.
 *
 * Enters: the request's body (parsed JSON) and the injector's settings; nothing about it is trusted. Leaves: a review that allows
 * the pod with a JSON patch, allows it as it is, or refuses it with a message for the person who created it.
 */
import { ownValue } from '@lateen/base'
import { type InjectionRequest, type InjectionSettings, injectPod } from './inject-pod.ts'
import { isRecord } from './pod/pod.ts'
import { readPod } from './pod/read-pod.ts'
import type { ProxyConfig } from './settings/proxy-config.ts'

export interface AdmissionContext {
  readonly settings: InjectionSettings
  /** Annotations of a namespace, where known. */
  readonly namespaceAnnotations?: (namespace: string) => Readonly<Record<string, string>> | undefined
  /** ProxyConfig resources that select the pod, merged, most general first. */
  readonly proxyConfig?: (namespace: string, labels: Readonly<Record<string, string>>) => ProxyConfig | undefined
  /** From the webhook's URL; see {@link proxyEnvOfPath}. */
  readonly proxyEnv?: Readonly<Record<string, string>>
}

export interface AdmissionReview {
  readonly apiVersion: string
  readonly kind: 'AdmissionReview'
  readonly response: {
    readonly uid: string
    readonly allowed: boolean
    readonly patch?: string
    readonly patchType?: 'JSONPatch'
    readonly status?: { readonly message: string; readonly code: number; readonly reason: string }
    readonly warnings?: readonly string[]
  }
}

/** What happened, for logs and metrics, beside the answer itself. */
export interface Admission {
  readonly review: AdmissionReview
  readonly outcome: 'injected' | 'skipped' | 'refused' | 'malformed'
  /** Namespace and name of the pod, as far as known. */
  readonly pod: string
  readonly reason: string
}

/** Answers an AdmissionReview. */
export function admit(review: unknown, context: AdmissionContext): Admission {
  const request = isRecord(review) && isRecord(review.request) ? review.request : undefined
  const apiVersion = isRecord(review) && review.apiVersion === 'admission.k8s.io/v1beta1' ? review.apiVersion : 'admission.k8s.io/v1'
  const uid = typeof request?.uid === 'string' ? request.uid : ''
  const answer = (
    outcome: Admission['outcome'],
    pod: string,
    reason: string,
    response: Omit<AdmissionReview['response'], 'uid'>,
  ): Admission => ({
    review: { apiVersion, kind: 'AdmissionReview', response: { uid, ...response } },
    outcome,
    pod,
    reason,
  })
  const refuse = (outcome: 'refused' | 'malformed', pod: string, message: string) =>
    answer(outcome, pod, message, {
      allowed: false,
      status: { message, code: outcome === 'refused' ? 422 : 400, reason: outcome === 'refused' ? 'Invalid' : 'BadRequest' },
    })
  if (!request) return refuse('malformed', '', 'the body is no AdmissionReview with a request; the webhook expects admission.k8s.io/v1')
  const namespace = typeof request.namespace === 'string' ? request.namespace : ''
  const read = readPod(request.object)
  if ('problem' in read) return refuse('malformed', namespace, `the object in the request is no pod: ${read.problem}`)
  const { pod } = read
  const name = `${namespace}/${pod.metadata.name || `${pod.metadata.generateName ?? ''}*`}`
  const result = injectPod({
    pod,
    namespace,
    settings: context.settings,
    ...optional(context, pod.metadata.namespace || namespace, pod.metadata.labels ?? {}),
  })
  switch (result.outcome) {
    case 'skipped':
      return answer('skipped', name, result.reason, { allowed: true })
    case 'refused':
      return refuse('refused', name, `cannot inject a proxy into pod ${name}: ${result.problems.join('; ')}`)
    case 'injected':
      return answer('injected', name, result.reason, {
        allowed: true,
        patch: base64(JSON.stringify(result.patch)),
        patchType: 'JSONPatch',
        ...(result.warnings.length > 0 ? { warnings: result.warnings } : {}),
      })
  }
}

/** Variables that a webhook path such as `/inject/cluster/east/net/n1` or `/inject/:ENV:cluster=east:ENV:net=n1` sets. */
export function proxyEnvOfPath(path: string): Record<string, string> {
  const rest = path.replace(/^\/inject\/?/, '')
  const pairs = rest.startsWith(':ENV:')
    ? rest.slice(5).split(':ENV:').map(splitPair)
    : pairsOfSegments(rest.split('/').filter((part) => part !== ''))
  return Object.fromEntries(
    pairs
      .map(([name, value]) => [ownValue(VARIABLES, name.toLowerCase()) ?? name, decode(value)])
      .filter(([name, value]) => name !== '' && value !== ''),
  )
}

const VARIABLES: Readonly<Record<string, string>> = { cluster: 'ISTIO_META_CLUSTER_ID', net: 'ISTIO_META_NETWORK' }

function splitPair(text: string): [string, string] {
  const at = text.indexOf('=')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function pairsOfSegments(segments: readonly string[]): [string, string][] {
  return segments.flatMap((name, index): [string, string][] => (index % 2 === 0 ? [[name, segments[index + 1] ?? '']] : []))
}

/** A slash in a value is written `--slash--`, for it would end the segment. */
function decode(value: string): string {
  return value.replaceAll('--slash--', '/')
}

function optional(context: AdmissionContext, namespace: string, labels: Readonly<Record<string, string>>): Partial<InjectionRequest> {
  const annotations = context.namespaceAnnotations?.(namespace)
  const proxyConfig = context.proxyConfig?.(namespace, labels)
  return {
    ...(annotations ? { namespaceAnnotations: annotations } : {}),
    ...(proxyConfig ? { proxyConfig } : {}),
    ...(context.proxyEnv ? { proxyEnv: context.proxyEnv } : {}),
  }
}

function base64(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''))
}
