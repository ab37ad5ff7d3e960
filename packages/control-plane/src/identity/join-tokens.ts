/** Join tokens of machines outside Kubernetes: redeemed for one certificate, then gone. */
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { logger } from '@lateen/base'
import { checkJoinToken, identityUri, JOIN_SECRET_TYPE, type JoinClaim, joinSecretName } from '@lateen/ca'
import { isConflict, isNotFound, type KubeClient } from '@lateen/kube'
import { found } from '../gateway-api/found.ts'
import { isFields } from '../mesh-config/mesh-documents.ts'
import { type Authentication, type Authenticator, bearerToken } from './authenticator.ts'
import { ReviewUnavailable } from './token-reviewer.ts'

export interface JoinTokenOptions {
  readonly client: KubeClient
  /** Namespace of the control plane, where the Secrets are. */
  readonly namespace: string
  readonly trustDomain: () => string
  readonly now?: () => number
}

const log = logger('ca')
/** Each attempt costs questions to the API server, and anybody may make one. */
const MAX_PENDING = 16

/** Takes join tokens as well as what `others` takes. For signing alone: a token that was used elsewhere would be lost. */
export function withJoinTokens(others: Authenticator, options: JoinTokenOptions): Authenticator {
  let pending = 0
  return {
    authenticate: async (credential) => {
      const token = bearerToken(credential.authorization)
      const name = token === undefined ? undefined : joinSecretName(token)
      if (token === undefined || name === undefined) return others.authenticate(credential)
      if (pending >= MAX_PENDING) throw new ReviewUnavailable('too many join tokens are being checked; try again')
      pending++
      try {
        return await redeem(token, name, options)
      } catch (cause) {
        throw new ReviewUnavailable(`the join token cannot be checked now: ${cause instanceof Error ? cause.message : String(cause)}`, {
          cause,
        })
      } finally {
        pending--
      }
    },
  }
}

async function redeem(token: string, name: string, options: JoinTokenOptions): Promise<Authentication> {
  const { client, namespace, trustDomain, now = Date.now } = options
  const unknown = { refused: 'the join token is not known: it was used already, or never made' }
  const secret = await found(client.get(RESOURCE_TYPES.Secret, namespace, name))
  if (!secret || secret.type !== JOIN_SECRET_TYPE) return unknown
  const result = checkJoinToken(token, isFields(secret.data) ? secret.data : {}, now())
  if ('refused' in result) return result
  const { claim } = result
  const mismatch = mismatchOf(claim, await found(client.get(RESOURCE_TYPES.WorkloadGroup, claim.namespace, claim.workloadGroup)))
  if (mismatch) return { refused: mismatch }
  if (!(await take(client, namespace, secret))) return unknown
  log.info(`a join token of WorkloadGroup ${claim.namespace}/${claim.workloadGroup} was used`)
  return { identities: [identityUri(trustDomain(), claim.namespace, claim.serviceAccount)], by: 'token' }
}

/** The group may have changed since the token was made. */
function mismatchOf({ namespace, workloadGroup, serviceAccount }: JoinClaim, group: KubeObject | undefined): string | undefined {
  if (!group) return `the WorkloadGroup ${namespace}/${workloadGroup} of the join token does not exist`
  const template = isFields(group.spec) && isFields(group.spec.template) ? group.spec.template : {}
  const account = typeof template.serviceAccount === 'string' && template.serviceAccount !== '' ? template.serviceAccount : 'default'
  return account === serviceAccount
    ? undefined
    : `the join token is for service account ${serviceAccount}, but WorkloadGroup ${namespace}/${workloadGroup} now runs as ${account}`
}

/** Whoever deletes the Secret that was read has the token; everyone else comes too late. */
async function take(client: KubeClient, namespace: string, { metadata }: KubeObject): Promise<boolean> {
  try {
    await client.delete(RESOURCE_TYPES.Secret, namespace, metadata.name, metadata.uid ? { uid: metadata.uid } : {})
    return true
  } catch (error) {
    if (isNotFound(error) || isConflict(error)) return false
    throw error
  }
}
