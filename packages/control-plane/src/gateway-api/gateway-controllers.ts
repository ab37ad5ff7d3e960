/** What the leader does for the Gateway API, as far as the control plane's options ask for it: classes, and deployments of Gateways. */
import type { DiscoveryOptions } from '../options/discovery-options.ts'
import { keepGatewayClasses } from './gateway-classes.ts'
import { createGatewayDeployer, type GatewayDeployer, type GatewayDeployerOptions } from './gateway-deployer.ts'

export interface GatewayControllers extends GatewayDeployer {
  stop(): void
}

export interface GatewayControllersOptions extends Pick<GatewayDeployerOptions, 'client' | 'mesh' | 'proxyConfig'> {
  readonly options: DiscoveryOptions
}

export function createGatewayControllers({ client, mesh, proxyConfig, options }: GatewayControllersOptions): GatewayControllers {
  const { namespace, revision, clusterId } = options
  const { deploys, keepsClasses, copiesMetadata } = options.gatewayApi
  const ended = new AbortController()
  const deployer = deploys
    ? createGatewayDeployer({ client, namespace, revision, clusterId, copiesMetadata, mesh, proxyConfig, tlsPolicy: options.tls.policy })
    : undefined
  return {
    inspect: (object) => deployer?.inspect(object),
    lead: (leading) => {
      const signal = AbortSignal.any([leading, ended.signal])
      if (keepsClasses) keepGatewayClasses(client, signal)
      deployer?.lead(signal)
    },
    refresh: () => deployer?.refresh(),
    stop: () => ended.abort(),
  }
}
