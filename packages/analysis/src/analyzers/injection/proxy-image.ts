/** Pods whose proxy is another image than the one that injection uses now. */
import { hasLabels, parseProxyConfig } from '@lateen/api'
import type { Analyzer } from '../../analyzer.ts'
import { INJECTION_LABEL, PROXY_CONTAINER, REVISION_LABEL } from '../../indexes/in-mesh.ts'
import type { Resource } from '../../resource.ts'
import { groupBy, type World } from '../../world.ts'
import { injectionValues } from './injection-values.ts'

const INJECTOR = 'istio-sidecar-injector'

export const proxyImage: Analyzer = {
  name: 'injection.ImageAnalyzer',
  description: 'Pods whose proxy image differs from the one that is injected',
  inputs: ['Namespace', 'Pod', 'ConfigMap', 'MeshConfig', 'ProxyConfig'],
  messages: ['PodsIstioProxyImageMismatchInNamespace'],
  analyze(world, report) {
    const images = world.index(injectedImages)
    if (images.size === 0) return
    const outdated = world.of('Pod').filter((pod) => isOutdated(world, pod))
    for (const [name, pods] of groupBy(outdated, ({ namespace }) => namespace)) {
      const namespace = world.find('Namespace', '', name)
      if (namespace) report('PodsIstioProxyImageMismatchInNamespace', namespace, { podNames: pods.map((pod) => pod.name) })
    }
  },
}

/** Images by the name of the ConfigMap: one for each revision. */
function injectedImages(world: World): Map<string, string> {
  const injectors = world.of('ConfigMap').filter(({ name }) => name.startsWith(INJECTOR))
  return new Map(injectors.map((injector) => [injector.name, injectionValues(injector).proxyImage]))
}

function isOutdated(world: World, pod: Resource<'Pod'>): boolean {
  const labels = world.find('Namespace', '', pod.namespace)?.labels ?? {}
  const revision = labels[REVISION_LABEL] ?? (labels[INJECTION_LABEL] === 'enabled' ? 'default' : undefined)
  if (revision === undefined || pod.annotations['sidecar.istio.io/proxyImage']) return false
  const image = world.index(injectedImages).get(revision === '' || revision === 'default' ? INJECTOR : `${INJECTOR}-${revision}`)
  if (image === undefined) return false
  const proxies = [...pod.spec.containers, ...pod.spec.initContainers].filter(({ name }) => name === PROXY_CONTAINER)
  if (proxies.every((proxy) => proxy.image === image)) return false
  const variant = imageVariant(world, pod)
  return proxies.some((proxy) => proxy.image !== image && proxy.image !== `${image}-${variant}`)
}

/** `distroless` and the like: the nearest of mesh, root namespace, namespace, workload and pod that names one. */
function imageVariant(world: World, pod: Resource<'Pod'>): string {
  const { defaultConfig, rootNamespace = 'istio-system' } = world.settings.meshConfig
  const wide = (namespace: string) => world.in('ProxyConfig', namespace).filter(({ spec }) => !spec.selector)
  const own = world
    .in('ProxyConfig', pod.namespace)
    .filter(({ spec }) => spec.selector && hasLabels(pod.labels, spec.selector.matchLabels ?? {}))
  const config = pod.annotations['proxy.istio.io/config']
  const named = [
    defaultConfig.image?.imageType,
    ...[...wide(rootNamespace), ...wide(pod.namespace), ...own].map(({ spec }) => spec.image?.imageType),
    config === undefined ? undefined : parseProxyConfig(config, {}).config.image?.imageType,
  ]
  const variant = named.findLast((type) => type !== undefined && type !== '') ?? ''
  return variant === 'default' ? '' : variant
}
