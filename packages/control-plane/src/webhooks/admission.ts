/** AdmissionReview: what the API server asks a webhook, and how it is answered. */

export interface AdmissionRequest {
  readonly uid: string
  readonly operation: string
  readonly namespace: string
  readonly name: string
  readonly resource: { readonly group: string; readonly version: string; readonly resource: string }
  readonly object: unknown
  readonly oldObject: unknown
  readonly dryRun: boolean
}

export interface AdmissionAnswer {
  readonly allowed: boolean
  /** Why it is refused. */
  readonly message?: string
  readonly code?: number
  readonly patch?: readonly unknown[]
  readonly warnings?: readonly string[]
}

type Fields = Readonly<Record<string, unknown>>

/** A body that is no AdmissionReview; the message says what is missing. */
export class MalformedReview extends Error {
  override readonly name = 'MalformedReview'
  readonly code = 'MALFORMED_REVIEW'
}

export interface Review {
  readonly apiVersion: string
  readonly request: AdmissionRequest
}

/** @throws MalformedReview */
export function readReview(body: string): Review {
  let document: unknown
  try {
    document = JSON.parse(body)
  } catch (cause) {
    throw new MalformedReview('the body is not JSON', { cause })
  }
  const review = fields(document)
  const request = fields(review.request)
  const apiVersion = text(review.apiVersion)
  if (text(review.kind) !== 'AdmissionReview' || !apiVersion.startsWith('admission.k8s.io/'))
    throw new MalformedReview('the body is no AdmissionReview of admission.k8s.io')
  if (text(request.uid) === '') throw new MalformedReview('the AdmissionReview has no request.uid')
  const resource = fields(request.resource)
  return {
    apiVersion,
    request: {
      uid: text(request.uid),
      operation: text(request.operation),
      namespace: text(request.namespace),
      name: text(request.name),
      resource: { group: text(resource.group), version: text(resource.version), resource: text(resource.resource) },
      object: request.object,
      oldObject: request.oldObject,
      dryRun: request.dryRun === true,
    },
  }
}

/** The AdmissionReview to send back, as text. */
export function writeReview({ apiVersion, request }: Review, answer: AdmissionAnswer): string {
  const patch =
    answer.patch && answer.patch.length > 0
      ? { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(answer.patch)).toString('base64') }
      : {}
  return JSON.stringify({
    apiVersion,
    kind: 'AdmissionReview',
    response: {
      uid: request.uid,
      allowed: answer.allowed,
      ...(answer.message === undefined ? {} : { status: { message: answer.message, code: answer.code ?? 400, reason: 'Invalid' } }),
      ...(answer.warnings && answer.warnings.length > 0 ? { warnings: answer.warnings } : {}),
      ...patch,
    },
  })
}

const fields = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {}
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
