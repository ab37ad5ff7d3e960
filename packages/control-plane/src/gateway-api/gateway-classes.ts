/** Classes of Gateways that the control plane serves, and their GatewayClass objects, which it makes where they are missing. */
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { logger } from '@lateen/base'
import { isConflict, isNotFound, type KubeClient, listWatch } from '@lateen/kube'

export interface ServedClass {
  readonly name: string
  /** `spec.controllerName` of its GatewayClass. */
  readonly controller: string
  readonly description: string
  /** How its Gateways are deployed; undefined where they are deployed elsewhere. */
  readonly deployment: { readonly controllerLabel: string; readonly serviceType: string } | undefined
}

export const SERVED_CLASSES: readonly ServedClass[] = [
  {
    name: 'istio',
    controller: 'istio.io/gateway-controller',
    description: 'The default Istio GatewayClass',
    deployment: { controllerLabel: 'istio.io-gateway-controller', serviceType: 'LoadBalancer' },
  },
  {
    name: 'istio-remote',
    controller: 'istio.io/unmanaged-gateway',
    description: 'Remote to this cluster. Does not deploy or affect configuration.',
    deployment: undefined,
  },
]

/** How a class is served: by the controller that its object names, else by its own name. */
export function servedClass(name: string, gatewayClass: KubeObject | undefined): ServedClass | undefined {
  if (!gatewayClass) return SERVED_CLASSES.find((served) => served.name === name)
  const controller: unknown = Reflect.get(Object(gatewayClass.spec), 'controllerName')
  return SERVED_CLASSES.find((served) => served.controller === controller)
}

const log = logger('gateways')
const RETRY_MS = 5_000

/** Keeps the GatewayClass of each served class in existence while leading; one that is there stays as it is. */
export function keepGatewayClasses(client: KubeClient, signal: AbortSignal): void {
  const missing = new Set(SERVED_CLASSES.map(({ name }) => name))
  let timer: NodeJS.Timeout | undefined
  const ensure = async () => {
    for (const served of SERVED_CLASSES.filter(({ name }) => missing.has(name))) {
      if (signal.aborted) return
      try {
        await client.create(RESOURCE_TYPES.GatewayClass, objectOf(served))
      } catch (error) {
        // Somebody was faster, or the kind is not served.
        if (isConflict(error) || isNotFound(error) || signal.aborted) continue
        log.warn(`GatewayClass ${served.name} could not be made: ${error instanceof Error ? error.message : String(error)}`)
        clearTimeout(timer)
        timer = setTimeout(() => void ensure(), RETRY_MS)
      }
    }
  }
  const watch = listWatch(
    client,
    RESOURCE_TYPES.GatewayClass,
    { optional: true, project: ({ apiVersion, kind, metadata: { name } }) => ({ apiVersion, kind, metadata: { name } }), log },
    {
      replace: (classes) => {
        for (const { name } of SERVED_CLASSES) missing.add(name)
        for (const { metadata } of classes) missing.delete(metadata.name)
        void ensure()
      },
      set: ({ metadata }) => void missing.delete(metadata.name),
      delete: ({ metadata }) => {
        if (SERVED_CLASSES.some(({ name }) => name === metadata.name)) missing.add(metadata.name)
        void ensure()
      },
    },
  )
  signal.addEventListener('abort', () => {
    clearTimeout(timer)
    watch.stop()
  })
}

const objectOf = ({ name, controller, description }: ServedClass): KubeObject => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'GatewayClass',
  metadata: { name },
  spec: { controllerName: controller, description },
})
