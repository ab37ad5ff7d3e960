/**
 * AuthorizationPolicies: which of them hold for a workload. Those of the workload's namespace and of the root namespace all hold
 * together; there is no precedence among them but that of their actions.
 */
import { type AuthorizationPolicySpec, type AuthorizationRule, type KubeObject, objectKey, refOf } from '@lateen/api'
import type { ObjectRef } from '@lateen/base'
import type { Context, Graph, Source } from '@lateen/graph'
import type { Inputs } from './inputs.ts'
import { type Attachment, attaches, attachmentOf, type PolicySubject } from './policy-attachment.ts'
import { settingsOf } from './services.ts'

export type AuthorizationAction = 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM'

export interface AuthorizationPolicy extends Attachment {
  readonly key: string
  readonly name: string
  readonly action: AuthorizationAction
  /** Rules of which one must match; none match nothing. */
  readonly rules: readonly AuthorizationRule[]
  /** The extension provider that decides, for CUSTOM. */
  readonly provider: string
  /** Evaluated and counted, but without effect. */
  readonly dryRun: boolean
  /** Whether it also means other spellings of its paths and headers; undefined where the mesh's word counts. */
  readonly everySpelling: boolean | undefined
  readonly created: string
  readonly origin: ObjectRef
}

const DRY_RUN = 'istio.io/dry-run'
const EVERY_SPELLING = 'lateen.io/every-spelling'

export function authorizationPolicyCollection(graph: Graph, inputs: Inputs): Source<AuthorizationPolicy> {
  return graph.collection<KubeObject, AuthorizationPolicy>(
    'authorizationPolicies',
    inputs.kinds['security.istio.io/AuthorizationPolicy'],
    (_, object) => {
      const spec = (object.spec ?? {}) as AuthorizationPolicySpec
      const policy: AuthorizationPolicy = {
        ...attachmentOf(object.metadata.namespace ?? '', spec),
        key: objectKey(object),
        name: object.metadata.name,
        action: spec.action ?? 'ALLOW',
        rules: spec.rules ?? [],
        provider: spec.provider?.name ?? '',
        dryRun: isTrue(object.metadata.annotations?.[DRY_RUN]),
        everySpelling: everySpellingOf(object),
        created: object.metadata.creationTimestamp ?? '',
        origin: refOf(object),
      }
      return [[policy.key, policy]]
    },
    { namespace: (policy) => [policy.namespace] },
  )
}

/** The spellings of "true" that Kubernetes tools accept. */
const isTrue = (text: string | undefined): boolean => text !== undefined && ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)

const isFalse = (text: string): boolean => ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)

/**
 * Whether a policy asks to mean every spelling; undefined for one that does not say. A text that is neither true nor false is taken for the
 * stricter one; checks of the object warn of it.
 */
export function everySpellingOf({ metadata }: KubeObject): boolean | undefined {
  const text = metadata.annotations?.[EVERY_SPELLING]
  return text === undefined ? undefined : !isFalse(text)
}

/** Keys of the policies that hold for a workload: those of the root namespace first, each namespace's in the order of their names. */
export function authorizationPoliciesOf(
  context: Context,
  inputs: Inputs,
  policies: Source<AuthorizationPolicy>,
  subject: PolicySubject,
): readonly string[] {
  const { rootNamespace } = settingsOf(context, inputs)
  return [...new Set([rootNamespace, subject.namespace])].flatMap((namespace) =>
    context
      .list(policies, 'namespace', namespace)
      .filter((policy) => attaches(policy, subject, rootNamespace))
      .map((policy) => policy.key),
  )
}
