/** TrafficExtension: a WebAssembly or Lua filter in the proxy. */
import { FAIL_STRATEGIES, PLUGIN_TYPES, PLUGIN_URL_RULE, PULL_POLICIES, TrafficSelector, VmConfig } from '../../messages/plugin.ts'
import { atMostOne, targetRefs } from '../../messages/target-reference.ts'
import { WorkloadSelector } from '../../messages/workload-selector.ts'
import { free, int32, list, message, of, oneOf, required, type Static, text } from '../../schema/define.ts'
import { AGE, defineKind, versions } from '../kind.ts'

export const WasmConfig = message('WasmConfig', {
  url: required(
    text('Where the module is: file://, oci:// (also without scheme), http:// or https://.', { minLength: 1, rules: [PLUGIN_URL_RULE] }),
  ),
  sha256: text('Checksum of the module, 64 hex digits.', { pattern: '(^$|^[a-f0-9]{64}$)' }),
  imagePullPolicy: oneOf(PULL_POLICIES, 'Whether the module is fetched again.'),
  imagePullSecret: text('Secret of the namespace for the image registry.', { minLength: 1, maxLength: 253 }),
  verificationKey: text('Not supported.'),
  pluginConfig: free('Configuration that is given to the plugin.'),
  pluginName: text('Name of the root context in the module.', { minLength: 1, maxLength: 256 }),
  failStrategy: oneOf(FAIL_STRATEGIES, 'What happens to requests when the plugin cannot run.'),
  vmConfig: of(VmConfig, 'The virtual machine.'),
  type: oneOf(PLUGIN_TYPES, 'Whether it filters HTTP (the default) or connections.'),
})
export interface WasmConfig extends Static<typeof WasmConfig> {}

export const LuaConfig = message('LuaConfig', {
  inlineCode: required(text('Lua source with envoy_on_request and/or envoy_on_response.', { minLength: 1, maxLength: 65_536 })),
})
export interface LuaConfig extends Static<typeof LuaConfig> {}

export const TrafficExtensionSpec = message(
  'TrafficExtension',
  {
    selector: of(WorkloadSelector, 'Workloads that this is for; all of the namespace when unset.'),
    targetRefs: targetRefs(),
    phase: oneOf(['UNSPECIFIED', 'AUTHN', 'AUTHZ', 'STATS'], 'Where in the filter chain the extension stands.'),
    priority: int32('Order within a phase; higher comes first, 0 when unset.', { nullable: true }),
    match: list(of(TrafficSelector), 'Only this traffic; all when empty.'),
    wasm: of(WasmConfig, 'A WebAssembly module.'),
    lua: of(LuaConfig, 'A Lua script.'),
  },
  { oneOfs: [['wasm', 'lua']], rules: [atMostOne('selector', 'targetRefs')] },
)
export interface TrafficExtensionSpec extends Static<typeof TrafficExtensionSpec> {}

export const TrafficExtensionKind = defineKind({
  group: 'extensions.istio.io',
  kind: 'TrafficExtension',
  plural: 'trafficextensions',
  versions: versions('v1alpha1'),
  columns: [AGE],
  description: 'A WebAssembly or Lua filter in the proxy.',
  spec: TrafficExtensionSpec,
  specRequired: true,
})
