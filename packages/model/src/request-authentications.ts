/**
 * RequestAuthentications: which tokens a workload takes. The rules of all that hold are put together, as if one object had them.
 */
import { type JWTRule, type KubeObject, objectKey, type RequestAuthenticationSpec, refOf } from '@lateen/api'
import type { ObjectRef } from '@lateen/base'
import type { Context, Graph, Source } from '@lateen/graph'
import { byAge } from './destination-rules.ts'
import type { Inputs } from './inputs.ts'
import { type Attachment, attaches, attachmentOf, type PolicySubject } from './policy-attachment.ts'
import { settingsOf } from './services.ts'

export interface RequestAuthentication extends Attachment {
  readonly key: string
  readonly rules: readonly JWTRule[]
  readonly created: string
  readonly origin: ObjectRef
}

export function requestAuthenticationCollection(graph: Graph, inputs: Inputs): Source<RequestAuthentication> {
  return graph.collection<KubeObject, RequestAuthentication>(
    'requestAuthentications',
    inputs.kinds['security.istio.io/RequestAuthentication'],
    (_, object) => {
      const spec = (object.spec ?? {}) as RequestAuthenticationSpec
      const policy: RequestAuthentication = {
        ...attachmentOf(object.metadata.namespace ?? '', spec),
        key: objectKey(object),
        rules: spec.jwtRules ?? [],
        created: object.metadata.creationTimestamp ?? '',
        origin: refOf(object),
      }
      return [[policy.key, policy]]
    },
    { namespace: (policy) => [policy.namespace] },
  )
}

/** Keys of the policies that hold for a workload: the root namespace's first, then by age. */
export function requestAuthenticationsOf(
  context: Context,
  inputs: Inputs,
  policies: Source<RequestAuthentication>,
  subject: PolicySubject,
): readonly string[] {
  const { rootNamespace } = settingsOf(context, inputs)
  return [...new Set([rootNamespace, subject.namespace])].flatMap((namespace) =>
    [...context.list(policies, 'namespace', namespace)]
      .filter((policy) => attaches(policy, subject, rootNamespace))
      .sort(byAge)
      .map((policy) => policy.key),
  )
}
