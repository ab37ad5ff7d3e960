/** `matchConditions` of webhooks: expressions on the request that must all be true for a webhook to be called. */
import { evaluate } from '../crd/cel-environment.ts'
import { type Obj, str } from '../values.ts'
import type { AdmissionRequest } from './admission.ts'

/** Whether all hold; an error when one cannot be evaluated and none is false. */
export function conditionsHold(conditions: readonly Obj[], request: AdmissionRequest, userInfo: Obj): boolean | Error {
  const { kind } = request
  const variables = {
    object: request.object ?? null,
    oldObject: request.old ?? null,
    request: {
      kind: { group: kind.group, version: kind.version, kind: kind.kind },
      resource: { group: kind.group, version: kind.version, resource: kind.plural },
      subResource: request.subresource,
      name: request.name,
      namespace: request.namespace,
      operation: request.operation,
      userInfo,
      dryRun: request.dryRun,
    },
  }
  let problem: Error | undefined
  for (const condition of conditions) {
    try {
      const value = evaluate(str(condition['expression']), variables)
      if (value === false) return false
      if (value !== true) problem = new Error(`match condition "${str(condition['name'])}" is not a boolean`)
    } catch (error) {
      problem = new Error(`match condition "${str(condition['name'])}": ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return problem ?? true
}
