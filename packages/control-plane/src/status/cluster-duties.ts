/**
 * What the control plane does for the cluster it runs in: roots in every namespace, the CA in webhook configurations, verdicts of
 * proxies on the objects' status, gateways of the Gateway API. What must be done once for all replicas is done by the leader.
 */
import { hostname } from 'node:os'
import { type KubeObject, type LabelSelector, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { logger, type ObjectRef } from '@lateen/base'
import { createStatusWriter, ISTIO_TYPES, selectsNamespace } from '@lateen/config'
import { type Election, electLeader, type KubeClient } from '@lateen/kube'
import type { LiveWorld } from '../analysis/live-world.ts'
import { distributeRoots, type RootDistribution } from '../certificates/root-distribution.ts'
import { createGatewayControllers, type GatewayControllersOptions } from '../gateway-api/gateway-controllers.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { DiscoveryOptions } from '../options/discovery-options.ts'
import { type CaBundlePatcher, patchCaBundles } from '../webhooks/ca-bundle.ts'
import type { RejectionListener } from '../xds/rejections.ts'
import { createAnalysisStatuses } from './analysis-statuses.ts'
import { createObjectStatuses, type ObjectStatusesOptions } from './object-statuses.ts'
import { createVerdicts } from './verdicts.ts'
import { istioType, writtenTypes } from './written-types.ts'

export interface ClusterDuties extends RejectionListener {
  /** Sees each object as the API server sent it. */
  inspect(object: KubeObject): void
  namespaceAnnotations(namespace: string): Readonly<Record<string, string>> | undefined
  /** Begins what needs the CA, and takes part in the election. */
  begin(context: DutyContext): void
  /** Roots or selected namespaces have changed. */
  refresh(): void
  /** The roots are in every namespace and webhook configuration. */
  readonly rootsDistributed: boolean
  stop(): Promise<void>
}

export interface DutyContext {
  /** What the control plane's certificates are checked by. */
  readonly roots: () => string
  /** Revocation lists of the CA; empty for none. */
  readonly revoked: () => string
  readonly discoverySelectors: () => readonly LabelSelector[]
}

export interface ClusterDutiesOptions extends Pick<GatewayControllersOptions, 'mesh' | 'proxyConfig'> {
  readonly client: KubeClient
  readonly options: DiscoveryOptions
  readonly metrics: Metrics
  readonly isRefused: (object: ObjectRef) => boolean
  /** The statuses that follow from the configuration. */
  readonly watchStatuses: ObjectStatusesOptions['watch']
  readonly world: LiveWorld
}

const log = logger('leader')
const REVISION_LABEL = 'istio.io/rev'
/** Short, so that a control plane that was killed and started again soon has its duties back. */
export const LEASE = { leaseDurationMs: 6_000, retryMs: 1_000 }

export function startClusterDuties({
  client,
  options,
  metrics,
  isRefused,
  watchStatuses,
  world,
  ...mesh
}: ClusterDutiesOptions): ClusterDuties {
  const gateways = createGatewayControllers({ client, options, ...mesh })
  const writer = createStatusWriter({ client, typeOf, component: 'istiod' })
  const verdicts = createVerdicts(writer, isRefused)
  const isOurs = ({ metadata }: KubeObject) => (metadata.labels?.[REVISION_LABEL] ?? options.revision) === options.revision
  const statuses = createObjectStatuses({ client, watch: watchStatuses, typeOf: writtenTypes(options.statuses), isOurs })
  const analysis = options.analysisIntervalMs === undefined ? undefined : createAnalysisStatuses(world, options.analysisIntervalMs)
  const findings = analysis && createObjectStatuses({ client, watch: analysis.watch, typeOf: istioType, isOurs })
  const annotations = new Map<string, Readonly<Record<string, string>>>()
  let parts: { readonly maps: readonly RootDistribution[]; readonly bundles: CaBundlePatcher } | undefined
  let election: Election | undefined
  const lead = (signal: AbortSignal) => {
    for (const map of parts?.maps ?? []) map.lead(signal)
    parts?.bundles.lead(signal)
    writer.lead(signal)
    verdicts.lead(signal)
    statuses.lead(signal)
    findings?.lead(signal)
    gateways.lead(signal)
  }
  return {
    inspect: (object) => {
      if (object.kind === 'Namespace') annotations.set(object.metadata.name, object.metadata.annotations ?? {})
      verdicts.inspect(object)
      statuses.inspect(object)
      findings?.inspect(object)
      analysis?.changed()
      gateways.inspect(object)
    },
    namespaceAnnotations: (namespace) => annotations.get(namespace),
    rejected: (rejection) => verdicts.rejected(rejection),
    cleared: (object) => verdicts.cleared(object),
    begin: ({ roots, revoked, discoverySelectors }) => {
      parts = {
        maps: [
          // Another CA brings its own roots to the namespaces.
          { configMap: options.ca.rootConfigMap, key: 'root-cert.pem' as const, text: options.ca.enabled ? roots : undefined },
          { configMap: options.ca.crlConfigMap, key: 'ca-crl.pem' as const, text: options.ca.enabled ? revoked : undefined },
        ].flatMap(({ text, ...map }) =>
          text ? [distributeRoots({ client, ...map, text, isSelected: (labels) => selectsNamespace(discoverySelectors(), labels) })] : [],
        ),
        bundles: patchCaBundles({
          client,
          revision: options.revision,
          injectionName: options.injection.webhookName,
          validationName: options.validationWebhookName,
          namespace: options.namespace,
          roots,
          onPatched: (outcome, name) => metrics.webhooks.patched(outcome, name),
        }),
      }
      if (!options.leaderElection) return lead(new AbortController().signal)
      const identity = options.podName ?? `${hostname()}-${process.pid}`
      const name = options.revision === 'default' ? 'istio-leader' : `istio-leader-${options.revision}`
      election = electLeader(client, { namespace: options.namespace, name, identity, ...LEASE }, lead)
    },
    get rootsDistributed() {
      return parts ? parts.maps.every((map) => map.settled) && parts.bundles.settled : false
    },
    refresh: () => {
      for (const map of parts?.maps ?? []) map.refresh()
      parts?.bundles.refresh()
      gateways.refresh()
    },
    stop: async () => {
      for (const map of parts?.maps ?? []) map.stop()
      parts?.bundles.stop()
      writer.stop()
      verdicts.stop()
      statuses.stop()
      findings?.stop()
      gateways.stop()
      await election?.stop()
      log.debug('gave up the duties of the leader')
    },
  }
}

/** Kinds that carry conditions of ours. */
function typeOf({ kind }: ObjectRef): ResourceType | undefined {
  return ISTIO_TYPES.find((type) => type.kind === kind) ?? (kind === 'HTTPRoute' || kind === 'GRPCRoute' ? RESOURCE_TYPES[kind] : undefined)
}
