/** Pod and template to injected pod; capture rules. */
export * from './admit.ts'
export * from './capture/config.ts'
export {
  type CaptureOptions,
  isMapped,
  type MachineFacts,
  type ParsedCapture,
  parseCaptureFlags,
  withMachineFacts,
} from './capture/flags.ts'
export { runCapture } from './capture/program.ts'
export * from './capture/restore.ts'
export { routeCleanupCommands, routeCommands } from './capture/routes.ts'
export { captureRules, type Family, type Rule, type Table } from './capture/rules.ts'
export { captureState, guardrails, residueCleanup } from './capture/state.ts'
export { checkAnnotations } from './decide/annotations.ts'
export { type Decision, decideInjection, IGNORED_NAMESPACES, webhookSelects } from './decide/decide.ts'
export { GATEWAY_CLASS_LABEL, GATEWAY_NAME_LABEL, type GatewayPort, type GatewayRequest, MANAGED_LABEL } from './gateway/gateway-request.ts'
export { renderGateway } from './gateway/render-gateway.ts'
export * from './inject-object.ts'
export * from './inject-pod.ts'
export { jsonPatch, type PatchOperation } from './pod/json-patch.ts'
export { ownerOfPod, type WorkloadOwner } from './pod/owner.ts'
export type { Container, Pod, PodMetadata, PodSpec } from './pod/pod.ts'
export { readPod } from './pod/read-pod.ts'
export * from './settings/injector-config.ts'
export * from './settings/proxy-config.ts'
export * from './settings/values.ts'
export { BUILT_IN_TEMPLATES } from './template/templates.ts'
