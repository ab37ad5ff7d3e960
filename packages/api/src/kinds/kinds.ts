/** All kinds of Istio's API, and how to find one. */
import { AuthorizationPolicyKind } from './authorization-policy/authorization-policy.ts'
import { DestinationRuleKind } from './destination-rule/destination-rule.ts'
import { EnvoyFilterKind } from './envoy-filter/envoy-filter.ts'
import { GatewayKind } from './gateway/gateway.ts'
import type { Kind } from './kind.ts'
import { PeerAuthenticationKind } from './peer-authentication/peer-authentication.ts'
import { ProxyConfigKind } from './proxy-config/proxy-config.ts'
import { RequestAuthenticationKind } from './request-authentication/request-authentication.ts'
import { ServiceEntryKind } from './service-entry/service-entry.ts'
import { SidecarKind } from './sidecar/sidecar.ts'
import { TelemetryKind } from './telemetry/telemetry.ts'
import { TrafficExtensionKind } from './traffic-extension/traffic-extension.ts'
import { VirtualServiceKind } from './virtual-service/virtual-service.ts'
import { WasmPluginKind } from './wasm-plugin/wasm-plugin.ts'
import { WorkloadEntryKind } from './workload-entry/workload-entry.ts'
import { WorkloadGroupKind } from './workload-group/workload-group.ts'

/** Every kind that Istio's API defines, in the order of groups and names. */
export const KINDS: readonly Kind[] = [
  TrafficExtensionKind,
  WasmPluginKind,
  DestinationRuleKind,
  EnvoyFilterKind,
  GatewayKind,
  ProxyConfigKind,
  ServiceEntryKind,
  SidecarKind,
  VirtualServiceKind,
  WorkloadEntryKind,
  WorkloadGroupKind,
  AuthorizationPolicyKind,
  PeerAuthenticationKind,
  RequestAuthenticationKind,
  TelemetryKind,
]

const byName = new Map(KINDS.map((kind) => [`${kind.group}/${kind.kind}`, kind]))

/** The kind of a group (without version), or `undefined` when Istio's API has none such. */
export function kindOf(group: string, kind: string): Kind | undefined {
  return byName.get(`${group}/${kind}`)
}

/** `networking.istio.io/v1` → its two parts; a version alone belongs to the core group, whose name is empty. */
export function splitApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? { group: '', version: apiVersion } : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}
