/** istio-init, which sets capture up with `istio-iptables`, or istio-validation, which checks that the CNI plugin did. */

import { proxyMetadata } from '../../settings/proxy-config.ts'
import { flagAt, textAt } from '../../settings/values.ts'
import { annotation, annotationOr, podInterceptionMode, present, type TemplateInput } from '../input.ts'
import { containerImage } from './image.ts'
import { excludedInboundPorts } from './metadata.ts'
import { proxyResources } from './resources.ts'
import { initSecurity, PROXY_ID } from './security.ts'

/** The container, or nothing when nothing is captured. */
export function captureContainer(input: TemplateInput): Record<string, unknown>[] {
  if (podInterceptionMode(input) === 'NONE') return []
  const { values } = input
  const env = proxyMetadata(input.proxyConfig).map(([name, value]) => ({ name, value }))
  return [
    {
      name: flagAt(values, 'pilot.cni.enabled') ? 'istio-validation' : 'istio-init',
      image: containerImage(input, 'global.proxy_init.image'),
      args: captureArgs(input),
      ...present('imagePullPolicy', textAt(values, 'global.imagePullPolicy')),
      ...(env.length > 0 ? { env } : {}),
      resources: proxyResources(input),
      securityContext: initSecurity(input),
    },
  ]
}

function captureArgs(input: TemplateInput): string[] {
  const { mesh, values } = input
  const cni = flagAt(values, 'pilot.cni.enabled')
  const traffic = (name: string, path: string) => annotationOr(input, `traffic.sidecar.istio.io/${name}`, path)
  const optional = (flag: string, value: string | undefined) => (value === undefined || value === '' ? [] : [flag, value])
  // An annotation that is present but empty is still passed on: it turns the installation's setting off.
  const ports = (flag: string, name: string, path: string) =>
    annotation(input, `traffic.sidecar.istio.io/${name}`) === undefined && textAt(values, path) === '' ? [] : [flag, traffic(name, path)]
  return [
    'istio-iptables',
    ...['-p', String(mesh.proxyListenPort)],
    ...['-z', String(mesh.proxyInboundListenPort)],
    ...['-u', String(input.proxyUid ?? PROXY_ID)],
    ...['-m', podInterceptionMode(input)],
    ...['-i', traffic('includeOutboundIPRanges', 'global.proxy.includeIPRanges')],
    ...['-x', traffic('excludeOutboundIPRanges', 'global.proxy.excludeIPRanges')],
    ...['-b', traffic('includeInboundPorts', 'global.proxy.includeInboundPorts')],
    ...['-d', ['15090', '15021', excludedInboundPorts(input)].filter((part) => part !== '').join(',')],
    ...ports('-q', 'includeOutboundPorts', 'global.proxy.includeOutboundPorts'),
    ...ports('-o', 'excludeOutboundPorts', 'global.proxy.excludeOutboundPorts'),
    ...optional(
      '-k',
      annotation(input, 'istio.io/reroute-virtual-interfaces') ?? annotation(input, 'traffic.sidecar.istio.io/kubevirtInterfaces'),
    ),
    ...optional('-c', annotation(input, 'traffic.sidecar.istio.io/excludeInterfaces')),
    `--log_output_level=${annotationOr(input, 'sidecar.istio.io/agentLogLevel', 'global.logging.level')}`,
    ...(flagAt(values, 'global.logAsJson') ? ['--log_as_json'] : []),
    ...(cni ? ['--run-validation', '--skip-rule-apply'] : []),
    ...(!cni && flagAt(values, 'global.proxy_init.forceApplyIptables') ? ['--force-apply'] : []),
    ...(flagAt(values, 'global.nativeNftables') ? ['--native-nftables'] : []),
  ]
}
