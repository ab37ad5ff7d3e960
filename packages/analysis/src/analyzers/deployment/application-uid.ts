/** Applications that run as the proxy's user: their traffic is taken for the proxy's own and not captured. */
import type { Analyzer } from '../../analyzer.ts'
import { isControlPlane, PROXY_CONTAINER } from '../../indexes/in-mesh.ts'
import type { PodView } from '../../kubernetes-views.ts'

const PROXY_UID = 1337
const ALLOWED = new Set([PROXY_CONTAINER, 'istio-operator'])

export const applicationUid: Analyzer = {
  name: 'applicationUID.Analyzer',
  description: 'Applications that run as the user of the sidecar proxy',
  inputs: ['Pod', 'Deployment'],
  messages: ['InvalidApplicationUID'],
  analyze(world, report) {
    for (const pod of world.of('Pod')) if (!isControlPlane(pod) && isProxysUser(pod.spec)) report('InvalidApplicationUID', pod, {}, 'spec')
    for (const deployment of world.of('Deployment')) {
      if (!isControlPlane(deployment) && isProxysUser(deployment.spec.pod)) {
        report('InvalidApplicationUID', deployment, {}, 'spec.template.spec')
      }
    }
  },
}

function isProxysUser({ runAsUser, containers }: PodView): boolean {
  return runAsUser === PROXY_UID || containers.some((container) => !ALLOWED.has(container.name) && container.runAsUser === PROXY_UID)
}
