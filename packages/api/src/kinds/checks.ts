/** Which check belongs to which kind. */
import type { Subject } from '../validation/subject.ts'
import { checkAuthorizationPolicy } from './authorization-policy/check.ts'
import { checkDestinationRule } from './destination-rule/check.ts'
import { checkEnvoyFilter } from './envoy-filter/check.ts'
import { checkGateway } from './gateway/check.ts'
import { checkPeerAuthentication } from './peer-authentication/check.ts'
import { checkProxyConfig } from './proxy-config/check.ts'
import { checkRequestAuthentication } from './request-authentication/check.ts'
import { checkServiceEntry } from './service-entry/check.ts'
import { checkSidecar } from './sidecar/check.ts'
import { checkTelemetry } from './telemetry/check.ts'
import { checkTrafficExtension } from './traffic-extension/check.ts'
import { checkVirtualService } from './virtual-service/check.ts'
import { checkWasmPlugin } from './wasm-plugin/check.ts'
import { checkWorkloadEntry } from './workload-entry/check.ts'
import { checkWorkloadGroup } from './workload-group/check.ts'

type Check = (subject: Subject<never>) => void

/** A check is run on what `read` made with the schema of the same kind, which is why `never` fits here. */
export const CHECKS: Readonly<Record<string, Check>> = {
  AuthorizationPolicy: checkAuthorizationPolicy,
  DestinationRule: checkDestinationRule,
  EnvoyFilter: checkEnvoyFilter,
  Gateway: checkGateway,
  PeerAuthentication: checkPeerAuthentication,
  ProxyConfig: checkProxyConfig,
  RequestAuthentication: checkRequestAuthentication,
  ServiceEntry: checkServiceEntry,
  Sidecar: checkSidecar,
  Telemetry: checkTelemetry,
  TrafficExtension: checkTrafficExtension,
  VirtualService: checkVirtualService,
  WasmPlugin: checkWasmPlugin,
  WorkloadEntry: checkWorkloadEntry,
  WorkloadGroup: checkWorkloadGroup,
}
