/** ProxyConfig: settings of the proxies of a namespace or workload, read when they start. */
import { WorkloadSelector } from '../../messages/workload-selector.ts'
import { int32, map, message, of, type Static, text } from '../../schema/define.ts'
import { defineKind, versions } from '../kind.ts'

export const ProxyImage = message('ProxyImage', { imageType: text('Variant of the proxy image: default, debug or distroless.') })
export interface ProxyImage extends Static<typeof ProxyImage> {}

export const ProxyConfigSpec = message('ProxyConfig', {
  selector: of(WorkloadSelector, 'Workloads that this is for; all of the namespace when unset.'),
  concurrency: int32('Worker threads; 0 means one for each core.', { minimum: 0, nullable: true }),
  environmentVariables: map(text(undefined, { maxLength: 2048 }), 'Environment variables of the proxy.'),
  image: of(ProxyImage, 'Image of the proxy.'),
})
export interface ProxyConfigSpec extends Static<typeof ProxyConfigSpec> {}

export const ProxyConfigKind = defineKind({
  group: 'networking.istio.io',
  kind: 'ProxyConfig',
  plural: 'proxyconfigs',
  versions: versions('v1beta1'),
  description: 'Settings of the proxies of a namespace or workload.',
  spec: ProxyConfigSpec,
})
