/** Everything that a mesh on one machine consists of, but for the CRDs and the workloads. */
import type { KubeObject } from '@lateen/api'
import { roles, serviceAccounts } from './access.ts'
import { ingressGateway } from './gateway.ts'
import { istiodDeployment, istiodService } from './istiod.ts'
import { commonLabels, kubeObject } from './object.ts'
import { type Installation, type LocalMeshOptions, resolveInstallation } from './options.ts'
import { injectorConfigMap, meshConfigMap } from './settings.ts'
import { injectionWebhooks, validationWebhooks } from './webhooks.ts'

/**
 * The objects of a mesh, in the order in which to apply them: namespace, accounts and rights, settings, control plane, webhooks,
 * gateway. The webhooks fail closed, so pods that want a proxy wait until istiod answers; the gateway is one of them.
 */
export function localMesh(options: LocalMeshOptions = {}): KubeObject[] {
  const installation = resolveInstallation(options)
  return [
    kubeObject('v1', 'Namespace', { name: installation.namespace, labels: { 'kubernetes.io/metadata.name': installation.namespace } }),
    ...serviceAccounts(installation),
    ...roles(installation),
    meshConfigMap(installation),
    injectorConfigMap(installation),
    istiodService(installation),
    istiodDeployment(installation),
    injectionWebhooks(installation),
    validationWebhooks(installation),
    kubeObject(
      'networking.k8s.io/v1',
      'IngressClass',
      { name: 'istio', labels: commonLabels(installation, 'istiod') },
      { spec: { controller: 'istio.io/ingress-controller' } },
    ),
    ...ingressGateway(installation),
    ...disruptionBudgets(installation),
  ]
}

function disruptionBudgets(installation: Installation): KubeObject[] {
  if (!installation.podDisruptionBudgets) return []
  const { namespace } = installation
  const budget = (name: string, matchLabels: Readonly<Record<string, string>>) =>
    kubeObject(
      'policy/v1',
      'PodDisruptionBudget',
      { name, namespace, labels: commonLabels(installation, name) },
      { spec: { minAvailable: 1, selector: { matchLabels } } },
    )
  return [
    budget('istiod', { app: 'istiod' }),
    ...(installation.gateway ? [budget('istio-ingressgateway', { app: 'istio-ingressgateway', istio: 'ingressgateway' })] : []),
  ]
}
