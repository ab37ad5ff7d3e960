/** The API with a record of each request. */
import { StatusError } from '../errors.ts'
import { type ApiServices, attributesOf, handleApi } from '../http/api.ts'
import { type ApiAnswer, type ApiRequest, parseResourcePath } from '../http/request.ts'
import type { AuditLog } from './audit-log.ts'

/** As {@link handleApi}, and `audit` is told. @throws StatusError */
export function auditedApi(services: ApiServices, audit: AuditLog, request: ApiRequest): Promise<ApiAnswer> {
  return audited(services, audit, request, () => handleApi(services, request))
}

/** Runs `answer`, and records how it ended. */
export async function audited<T extends { readonly status: number } | undefined>(
  services: ApiServices,
  audit: AuditLog,
  request: ApiRequest,
  answer: () => Promise<T>,
): Promise<T> {
  const received = new Date()
  const attributes = attributesOf(request, parseResourcePath(request.path))
  const verdict = services.authorizer.authorize(request.user, attributes)
  const record = (code: number) => audit.record({ request, attributes, verdict, code, received, answered: new Date() })
  try {
    const answered = await answer()
    // What is upgraded to another protocol has no status of its own.
    record(answered?.status ?? 101)
    return answered
  } catch (error) {
    record(error instanceof StatusError ? error.code : 500)
    throw error
  }
}
