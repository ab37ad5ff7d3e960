/** Which templates a pod gets, and the built-in ones by name. */
import type { Pod } from '../pod/pod.ts'
import type { InjectorConfig } from '../settings/injector-config.ts'
import { gatewayTemplate } from './gateway.ts'
import { grpcAgentTemplate, grpcSimpleTemplate } from './grpc.ts'
import type { Template } from './input.ts'
import { sidecarTemplate } from './sidecar.ts'

export const BUILT_IN_TEMPLATES: Readonly<Record<string, Template>> = {
  sidecar: sidecarTemplate,
  gateway: gatewayTemplate,
  'grpc-agent': grpcAgentTemplate,
  'grpc-simple': grpcSimpleTemplate,
}

/** Templates named by `inject.istio.io/templates`, else the defaults; aliases are resolved, once. */
export function templateNames(pod: Pod, config: InjectorConfig): string[] {
  const asked = pod.metadata.annotations?.['inject.istio.io/templates']
  const names = asked === undefined ? config.defaultTemplates : asked.split(',').map((name) => name.trim())
  return names.flatMap((name) => (Object.hasOwn(config.aliases, name) ? (config.aliases[name] ?? [name]) : [name]))
}
