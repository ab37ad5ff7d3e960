/** Security contexts of the proxy and of the container that sets capture up. */

import { proxyMetadata } from '../../settings/proxy-config.ts'
import { flagAt } from '../../settings/values.ts'
import { annotationOr, podInterceptionMode, type TemplateInput } from '../input.ts'

export const PROXY_ID = 1337

/** The proxy: an ordinary user without capabilities, unless TPROXY or low ports need more. */
export function proxySecurity(input: TemplateInput): Record<string, unknown> {
  const gid = input.proxyGid ?? PROXY_ID
  if (proxyMetadata(input.proxyConfig).some(([name, value]) => name === 'IPTABLES_TRACE_LOGGING' && value === 'true'))
    return {
      allowPrivilegeEscalation: true,
      capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
      privileged: true,
      readOnlyRootFilesystem: true,
      runAsGroup: gid,
      runAsNonRoot: false,
      runAsUser: 0,
    }
  const tproxy = podInterceptionMode(input) === 'TPROXY'
  const lowPorts = annotationOr(input, 'sidecar.istio.io/capNetBindService', 'global.proxy.capNetBindService') === 'true'
  const add = [...(tproxy ? ['NET_ADMIN'] : []), ...(lowPorts ? ['NET_BIND_SERVICE'] : [])]
  const privileged = flagAt(input.values, 'global.proxy.privileged')
  return {
    allowPrivilegeEscalation: privileged,
    capabilities: { ...(add.length > 0 ? { add } : {}), drop: ['ALL'] },
    privileged,
    readOnlyRootFilesystem: true,
    runAsGroup: gid,
    ...(add.length > 0 ? { runAsNonRoot: false, runAsUser: 0 } : { runAsNonRoot: true, runAsUser: input.proxyUid ?? PROXY_ID }),
  }
}

/** istio-init needs to change the network; istio-validation, with the CNI plugin, only looks, and runs as the proxy does. */
export function initSecurity(input: TemplateInput): Record<string, unknown> {
  const cni = flagAt(input.values, 'pilot.cni.enabled')
  const privileged = flagAt(input.values, 'global.proxy.privileged')
  return {
    allowPrivilegeEscalation: privileged,
    privileged,
    capabilities: { ...(cni ? {} : { add: ['NET_ADMIN', 'NET_RAW'] }), drop: ['ALL'] },
    ...(cni
      ? { readOnlyRootFilesystem: true, runAsGroup: input.proxyGid ?? PROXY_ID, runAsUser: input.proxyUid ?? PROXY_ID, runAsNonRoot: true }
      : { readOnlyRootFilesystem: false, runAsGroup: 0, runAsNonRoot: false, runAsUser: 0 }),
  }
}
