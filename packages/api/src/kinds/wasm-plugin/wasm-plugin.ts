/** WasmPlugin: a WebAssembly filter in the proxy. */
import { FAIL_STRATEGIES, PLUGIN_TYPES, PLUGIN_URL_RULE, PULL_POLICIES, TrafficSelector, VmConfig } from '../../messages/plugin.ts'
import { atMostOne, targetRef, targetRefs } from '../../messages/target-reference.ts'
import { WorkloadSelector } from '../../messages/workload-selector.ts'
import { free, int32, list, message, of, oneOf, required, type Static, text } from '../../schema/define.ts'
import { AGE, defineKind, versions } from '../kind.ts'

export const WasmPluginSpec = message(
  'WasmPlugin',
  {
    selector: of(WorkloadSelector, 'Workloads that this is for; all of the namespace when unset.'),
    targetRef: targetRef(),
    targetRefs: targetRefs(),
    url: required(
      text('Where the module is: file://, oci:// (also without scheme), http:// or https://.', { minLength: 1, rules: [PLUGIN_URL_RULE] }),
    ),
    sha256: text('Checksum of the module, 64 hex digits.', { pattern: '(^$|^[a-f0-9]{64}$)' }),
    imagePullPolicy: oneOf(PULL_POLICIES, 'Whether the module is fetched again.'),
    imagePullSecret: text('Secret of the namespace for the image registry.', { minLength: 1, maxLength: 253 }),
    verificationKey: text('Not supported.'),
    pluginConfig: free('Configuration that is given to the plugin.'),
    pluginName: text('Name of the root context in the module.', { minLength: 1, maxLength: 256 }),
    phase: oneOf(['UNSPECIFIED_PHASE', 'AUTHN', 'AUTHZ', 'STATS'], 'Where in the filter chain the plugin stands.'),
    priority: int32('Order within a phase; higher comes first, 0 when unset.', { nullable: true }),
    failStrategy: oneOf(FAIL_STRATEGIES, 'What happens to requests when the plugin cannot run.'),
    vmConfig: of(VmConfig, 'The virtual machine.'),
    match: list(of(TrafficSelector), 'Only this traffic; all when empty.'),
    type: oneOf(PLUGIN_TYPES, 'Whether it filters HTTP (the default) or connections.'),
  },
  { rules: [atMostOne('selector', 'targetRef', 'targetRefs')] },
)
export interface WasmPluginSpec extends Static<typeof WasmPluginSpec> {}

export const WasmPluginKind = defineKind({
  group: 'extensions.istio.io',
  kind: 'WasmPlugin',
  plural: 'wasmplugins',
  versions: versions('v1alpha1'),
  columns: [AGE],
  description: 'A WebAssembly filter in the proxy.',
  spec: WasmPluginSpec,
  specRequired: true,
})
