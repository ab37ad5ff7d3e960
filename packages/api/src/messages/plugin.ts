/** What Wasm plugins and traffic extensions share: where they run in the chain, and the virtual machine. */
import { list, message, of, oneOf, required, type Static, text, uint32 } from '../schema/define.ts'
import type { CelRule } from '../schema/node.ts'

export const WORKLOAD_MODES = ['UNDEFINED', 'CLIENT', 'SERVER', 'CLIENT_AND_SERVER'] as const

export const PluginPort = message('PluginPort', { number: required(uint32('Number of the port.', { minimum: 1, maximum: 65_535 })) })
export interface PluginPort extends Static<typeof PluginPort> {}

export const TrafficSelector = message('TrafficSelector', {
  mode: oneOf(WORKLOAD_MODES, "Whether the workload's outgoing (CLIENT) or incoming (SERVER) traffic is meant."),
  ports: list(of(PluginPort), 'Only traffic to one of these ports; any when empty.', { mapKeys: ['number'] }),
})
export interface TrafficSelector extends Static<typeof TrafficSelector> {}

const VALUE_ONLY_INLINE: CelRule = {
  rule: "(has(self.valueFrom) ? self.valueFrom : '') != 'HOST' || !has(self.value)",
  message: 'value may not be set when valueFrom is HOST',
}

export const EnvVar = message(
  'EnvVar',
  {
    name: required(text('Name of the variable.', { minLength: 1, maxLength: 256 })),
    valueFrom: oneOf(['INLINE', 'HOST'], "INLINE takes `value`; HOST takes the proxy's own variable of that name."),
    value: text('The value, for INLINE.', { maxLength: 2048 }),
  },
  { rules: [VALUE_ONLY_INLINE] },
)
export interface EnvVar extends Static<typeof EnvVar> {}

export const VmConfig = message('VmConfig', {
  env: list(of(EnvVar), 'Environment variables of the virtual machine.', { maxItems: 256, mapKeys: ['name'] }),
})
export interface VmConfig extends Static<typeof VmConfig> {}

export const PLUGIN_URL_RULE: CelRule = {
  rule: "isURL(self) ? (url(self).getScheme() in ['', 'http', 'https', 'oci', 'file']) : (isURL('http://' + self) && url('http://' + self).getScheme() in ['', 'http', 'https', 'oci', 'file'])",
  message: 'the scheme of url must be http, https, oci or file',
}

export const PULL_POLICIES = ['UNSPECIFIED_POLICY', 'IfNotPresent', 'Always'] as const
export const PLUGIN_TYPES = ['UNSPECIFIED_PLUGIN_TYPE', 'HTTP', 'NETWORK'] as const
export const FAIL_STRATEGIES = ['FAIL_CLOSE', 'FAIL_OPEN', 'FAIL_RELOAD'] as const
