/**
 * PeerAuthentication: what a workload's port accepts. A policy for the workload stands above the namespace's, which stands above
 * the mesh's (root namespace); at each step the oldest counts. `UNSET` takes what the wider one says; nothing said is PERMISSIVE.
 */
import { type KubeObject, objectKey, type PeerAuthenticationSpec, refOf } from '@lateen/api'
import type { ObjectRef } from '@lateen/base'
import type { Context, Graph, Source } from '@lateen/graph'
import { byAge } from './destination-rules.ts'
import type { Inputs } from './inputs.ts'
import { settingsOf } from './services.ts'
import { selects } from './workload.ts'

export type MutualTls = 'STRICT' | 'PERMISSIVE' | 'DISABLE'

export interface PeerPolicy {
  readonly key: string
  readonly namespace: string
  readonly selector: Readonly<Record<string, string>> | undefined
  readonly mode: MutualTls | undefined
  readonly ports: Readonly<Record<string, MutualTls | undefined>>
  readonly created: string
  readonly origin: ObjectRef
}

/** What holds for one workload: the mode of every port not named, and of those named. */
export interface EffectivePeerPolicy {
  readonly mode: MutualTls
  readonly ports: Readonly<Record<string, MutualTls>>
}

export function peerPolicyCollection(graph: Graph, inputs: Inputs): Source<PeerPolicy> {
  return graph.collection<KubeObject, PeerPolicy>(
    'peerPolicies',
    inputs.kinds['security.istio.io/PeerAuthentication'],
    (_, object) => {
      const policy = peerPolicy(object)
      return [[policy.key, policy]]
    },
    { namespace: (policy) => [policy.namespace] },
  )
}

/** What a PeerAuthentication says. */
export function peerPolicy(object: KubeObject): PeerPolicy {
  const spec = (object.spec ?? {}) as PeerAuthenticationSpec
  const labels = spec.selector?.matchLabels
  return {
    key: objectKey(object),
    namespace: object.metadata.namespace ?? '',
    selector: labels && Object.keys(labels).length > 0 ? labels : undefined,
    mode: modeOf(spec.mtls?.mode),
    ports: Object.fromEntries(Object.entries(spec.portLevelMtls ?? {}).map(([port, mtls]) => [port, modeOf(mtls.mode)])),
    created: object.metadata.creationTimestamp ?? '',
    origin: refOf(object),
  }
}

const modeOf = (mode: string | undefined): MutualTls | undefined =>
  mode === 'STRICT' || mode === 'PERMISSIVE' || mode === 'DISABLE' ? mode : undefined

/** The policy that holds for a workload with these labels. */
export function peerPolicyOf(
  context: Context,
  inputs: Inputs,
  policies: Source<PeerPolicy>,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): EffectivePeerPolicy {
  const { rootNamespace } = settingsOf(context, inputs)
  return composePeerPolicy(policiesNear(context, policies, namespace, rootNamespace), { namespace, labels, rootNamespace })
}

/** The policies that decide for a workload, the nearest first; what one says hides those behind it. */
export function peerPoliciesFor(
  context: Context,
  inputs: Inputs,
  policies: Source<PeerPolicy>,
  workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
): readonly PeerPolicy[] {
  const { rootNamespace } = settingsOf(context, inputs)
  const all = policiesNear(context, policies, workload.namespace, rootNamespace)
  const { narrow, wide, mesh } = byNearness(all, { ...workload, rootNamespace })
  const found = [narrow, wide, mesh].filter((policy) => policy !== undefined)
  const last = found.findIndex(({ mode }) => mode !== undefined)
  return last < 0 ? found : found.slice(0, last + 1)
}

const policiesNear = (context: Context, policies: Source<PeerPolicy>, namespace: string, rootNamespace: string): readonly PeerPolicy[] =>
  [...new Set([namespace, rootNamespace])].flatMap((each) => context.list(policies, 'namespace', each))

interface PolicyWorkload {
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly rootNamespace: string
}

/** What of these policies holds for a workload; those of other namespaces than its own and the root count for nothing. */
export function composePeerPolicy(policies: readonly PeerPolicy[], workload: PolicyWorkload): EffectivePeerPolicy {
  const { narrow, wide, mesh } = byNearness(policies, workload)
  const inherited = wide?.mode ?? mesh?.mode ?? 'PERMISSIVE'
  const mode = narrow?.mode ?? inherited
  // A port's UNSET takes the workload's mode; ports are read from workload policies only.
  const ports = Object.fromEntries(Object.entries(narrow?.ports ?? {}).map(([port, own]) => [port, own ?? mode]))
  return { mode, ports }
}

function byNearness(policies: readonly PeerPolicy[], { namespace, labels, rootNamespace }: PolicyWorkload) {
  const sorted = [...policies].sort(byAge)
  const own = sorted.filter((policy) => policy.namespace === namespace)
  return {
    mesh: sorted.find((policy) => policy.namespace === rootNamespace && !policy.selector),
    wide: rootNamespace === namespace ? undefined : own.find((policy) => !policy.selector),
    // A selector in the root namespace selects nothing, not even there: that namespace speaks for the mesh.
    narrow: rootNamespace === namespace ? undefined : own.find((policy) => policy.selector && selects(policy.selector, labels)),
  }
}

/** The mode of one port of a workload. */
export function modeOfPort(policy: EffectivePeerPolicy, port: number): MutualTls {
  return policy.ports[String(port)] ?? policy.mode
}
