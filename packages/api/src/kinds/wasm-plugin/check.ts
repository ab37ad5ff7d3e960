/** What makes a WasmPlugin unusable. */
import { checkPlugin, checkTrafficSelectors } from '../../validation/plugin.ts'
import { checkAttachment } from '../../validation/selectors.ts'
import type { Subject } from '../../validation/subject.ts'
import type { WasmPluginSpec } from './wasm-plugin.ts'

export function checkWasmPlugin({ spec, at }: Subject<WasmPluginSpec>): void {
  checkAttachment(spec, at)
  checkPlugin(spec, at)
  checkTrafficSelectors(spec.match, at.in('match'))
}
