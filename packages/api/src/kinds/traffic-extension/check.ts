/** What makes a TrafficExtension unusable. */
import { checkPlugin, checkTrafficSelectors } from '../../validation/plugin.ts'
import { checkAttachment } from '../../validation/selectors.ts'
import type { Subject } from '../../validation/subject.ts'
import type { TrafficExtensionSpec } from './traffic-extension.ts'

const LARGEST_SCRIPT = 65_536

export function checkTrafficExtension({ spec, at }: Subject<TrafficExtensionSpec>): void {
  checkAttachment(spec, at)
  const { wasm, lua } = spec
  if (!wasm && !lua) at.say('ExtensionMissing')
  if (wasm) checkPlugin(wasm, at.in('wasm'))
  if (lua) {
    const size = new TextEncoder().encode(lua.inlineCode ?? '').length
    if (size === 0) at.in('lua', 'inlineCode').say('Required')
    if (size > LARGEST_SCRIPT) at.in('lua', 'inlineCode').say('LuaSize', { size })
  }
  checkTrafficSelectors(spec.match, at.in('match'))
}
