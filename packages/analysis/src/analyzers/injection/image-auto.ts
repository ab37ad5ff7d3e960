/** `image: auto`, which only injection can fill in, where injection does not happen. */
import { matchesLabelSelector } from '@lateen/api'
import type { Analyzer } from '../../analyzer.ts'
import { PROXY_CONTAINER } from '../../indexes/in-mesh.ts'
import type { PodView } from '../../kubernetes-views.ts'
import type { Resource } from '../../resource.ts'
import type { World } from '../../world.ts'

export const imageAuto: Analyzer = {
  name: 'injection.ImageAutoAnalyzer',
  description: 'Pods and Deployments with `image: auto` that are not injected',
  inputs: ['Namespace', 'Pod', 'Deployment', 'MutatingWebhookConfiguration'],
  messages: ['ImageAutoWithoutInjectionError', 'ImageAutoWithoutInjectionWarning'],
  analyze(world, report) {
    for (const pod of world.of('Pod')) {
      // A pod that exists with it was not injected, whatever webhooks say.
      if (isAuto(pod.spec)) report('ImageAutoWithoutInjectionError', pod, { resourceType: 'Pod', resourceName: pod.name })
    }
    for (const deployment of world.of('Deployment')) {
      if (!isAuto(deployment.spec.pod) || isInjected(world, deployment)) continue
      report('ImageAutoWithoutInjectionWarning', deployment, { resourceType: 'Deployment', resourceName: deployment.name })
    }
  },
}

const isAuto = ({ containers }: PodView): boolean => containers.some(({ name, image }) => name === PROXY_CONTAINER && image === 'auto')

function isInjected(world: World, { namespace, spec }: Resource<'Deployment'>): boolean {
  const labels = world.find('Namespace', '', namespace || 'default')?.labels ?? {}
  const webhooks = world.of('MutatingWebhookConfiguration').flatMap((configuration) => configuration.spec.webhooks)
  return webhooks.some(
    ({ name, namespaceSelector, objectSelector }) =>
      name.endsWith('istio.io') && matchesLabelSelector(namespaceSelector, labels) && matchesLabelSelector(objectSelector, spec.labels),
  )
}
