/** `/validate`: refuses objects of Istio's API that would not work as written, and warns about those that surely are not meant so. */
import { type KubeObject, validate } from '@lateen/api'
import { formatDiagnostic, logger } from '@lateen/base'
import type { HttpReply, HttpRequest } from '../http/http-server.ts'
import type { WebhookMetrics } from '../metrics/webhook-metrics.ts'
import { type AdmissionAnswer, type AdmissionRequest, MalformedReview, readReview, writeReview } from './admission.ts'
import type { ObjectWarnings } from './object-warnings.ts'

const log = logger('validation')
const MAX_WARNING = 256
const MAX_MESSAGE = 8_192

export interface ValidateWebhookOptions {
  readonly metrics: WebhookMetrics
  /** What is to be said of an object among the others; nothing where that is switched off. */
  readonly warnings: ObjectWarnings | undefined
}

export async function serveValidate({ metrics, warnings }: ValidateWebhookOptions, request: HttpRequest): Promise<HttpReply> {
  if (request.method !== 'POST') return { status: 405, body: 'the webhook takes POST requests only\n' }
  try {
    const review = readReview(await request.body())
    const answer = withWarnings(check(review.request), review.request, warnings)
    metrics.validation(answer.allowed ? 'passed' : 'failed', review.request.resource)
    if (!answer.allowed) log.info('refused', { object: `${review.request.namespace}/${review.request.name}`, reason: answer.message })
    return { status: 200, body: writeReview(review, answer), contentType: 'application/json' }
  } catch (error) {
    if (!(error instanceof MalformedReview)) throw error
    metrics.malformed()
    return { status: 400, body: `${error.message}\n` }
  }
}

function withWarnings(
  answer: AdmissionAnswer,
  { operation, object }: AdmissionRequest,
  warnings: ObjectWarnings | undefined,
): AdmissionAnswer {
  if (!answer.allowed || !warnings || operation === 'DELETE' || isBeingDeleted(object)) return answer
  if (!isObject(object)) return answer
  const found = warnings.of(object).map((text) => text.slice(0, MAX_WARNING))
  return found.length > 0 ? { ...answer, warnings: [...(answer.warnings ?? []), ...found] } : answer
}

function check({ operation, object, oldObject }: AdmissionRequest): AdmissionAnswer {
  // What is going away, or is only being released by a finalizer, is not held up by what is wrong with it.
  if (operation === 'DELETE' || isBeingDeleted(object)) return { allowed: true }
  const diagnostics = validate(object)
  const errors = diagnostics.filter(({ severity }) => severity === 'Error')
  const warnings = diagnostics
    .filter(({ severity }) => severity === 'Warning')
    .map((diagnostic) => `${diagnostic.message} (${diagnostic.code})`.slice(0, MAX_WARNING))
  if (errors.length === 0) return { allowed: true, warnings }
  if (operation === 'UPDATE' && isSameSpec(object, oldObject)) return { allowed: true, warnings }
  return { allowed: false, code: 400, message: errors.map(formatDiagnostic).join('; ').slice(0, MAX_MESSAGE), warnings }
}

/** What validation has let through has these. */
const isObject = (value: unknown): value is KubeObject =>
  typeof fieldOf(value, 'apiVersion') === 'string' &&
  typeof fieldOf(value, 'kind') === 'string' &&
  typeof fieldOf(fieldOf(value, 'metadata'), 'name') === 'string'

const isBeingDeleted = (object: unknown): boolean => {
  const metadata = fieldOf(object, 'metadata')
  return typeof fieldOf(metadata, 'deletionTimestamp') === 'string'
}

/** Labels of an object that was accepted by an older version can still be changed. */
const isSameSpec = (object: unknown, oldObject: unknown): boolean => {
  const spec = JSON.stringify(fieldOf(object, 'spec'))
  return spec !== undefined && spec === JSON.stringify(fieldOf(oldObject, 'spec'))
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined
}
