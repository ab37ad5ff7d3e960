/** EnvoyFilter patches that do nothing, or whose effect depends on what other filters do. */
import type { EnvoyConfigObjectPatch } from '@lateen/api'
import type { Analyzer, Report } from '../../analyzer.ts'
import { fieldsOf } from '../../kubernetes-views.ts'
import type { MessageName } from '../../messages/messages.ts'
import type { Resource } from '../../resource.ts'

export const envoyPatches: Analyzer = {
  name: 'envoyfilter.EnvoyPatchAnalyzer',
  description: 'EnvoyFilter patches that do nothing or depend on the order of filters',
  inputs: ['EnvoyFilter'],
  messages: [
    'EnvoyFilterUsesRelativeOperation',
    'EnvoyFilterUsesRelativeOperationWithProxyVersion',
    'EnvoyFilterUsesReplaceOperationIncorrectly',
    'EnvoyFilterUsesAddOperationIncorrectly',
    'EnvoyFilterUsesRemoveOperationIncorrectly',
  ],
  analyze(world, report) {
    const versioned = new Set<string>()
    for (const filter of world.of('EnvoyFilter')) check(filter, versioned, report)
  },
}

const isRoute = (applyTo: string): boolean => applyTo === 'ROUTE_CONFIGURATION' || applyTo === 'HTTP_ROUTE'
const isFilter = (applyTo: string): boolean => applyTo === 'NETWORK_FILTER' || applyTo === 'HTTP_FILTER'

type PatchMessage = Extract<MessageName, `EnvoyFilterUses${string}`>

/** `versioned` are the names of what was patched for one proxy version only; it grows. */
function check(filter: Resource<'EnvoyFilter'>, versioned: Set<string>, report: Report): void {
  for (const [i, patch] of (filter.spec.configPatches ?? []).entries()) {
    if (!patch.patch) return
    const path = `spec.configPatches[${i}].patch.value`
    const name = patchedName(patch)
    const applyTo = patch.applyTo ?? 'INVALID'
    const say = (message: PatchMessage) => report(message, filter, {}, path)
    const relative = () => {
      if ((filter.spec.priority ?? 0) !== 0) return
      say(versioned.has(name) ? 'EnvoyFilterUsesRelativeOperationWithProxyVersion' : 'EnvoyFilterUsesRelativeOperation')
    }
    switch (patch.patch.operation) {
      case 'ADD':
        if (isRoute(applyTo)) say('EnvoyFilterUsesAddOperationIncorrectly')
        break
      case 'REMOVE':
        if (isRoute(applyTo)) say('EnvoyFilterUsesRemoveOperationIncorrectly')
        else relative()
        break
      case 'REPLACE':
        if (isFilter(applyTo)) relative()
        else if (applyTo !== 'VIRTUAL_HOST') say('EnvoyFilterUsesReplaceOperationIncorrectly')
        break
      case 'INSERT_BEFORE':
      case 'INSERT_AFTER':
        relative()
        break
    }
    if (patch.match?.proxy?.proxyVersion) versioned.add(name)
  }
}

/** The name in the patch's value, else the filter that it matches. */
function patchedName({ patch, match }: EnvoyConfigObjectPatch): string {
  if (patch?.value === undefined) return ''
  const { name } = fieldsOf(patch.value)
  if (name !== undefined) return `value ${String(name)}`
  const filter = match?.listener?.filterChain?.filter?.name ?? ''
  return filter === '' ? '' : `match ${filter}`
}
