/** Labels and annotations that a proxy's pod gets. */

import { flagAt, textAt } from '../../settings/values.ts'
import { annotation, annotationOr, applicationContainers, label, podInterceptionMode, podStatusPort, type TemplateInput } from '../input.ts'

/** A label value is at most this long. */
const MAX_LABEL = 63

/** `service.istio.io/canonical-name` and `-revision`: under which name and version telemetry knows the workload. */
export function canonicalLabels(input: TemplateInput): Record<string, string> {
  const name =
    label(input, 'service.istio.io/canonical-name') || label(input, 'app.kubernetes.io/name') || label(input, 'app') || input.owner.name
  const revision =
    label(input, 'service.istio.io/canonical-revision') || label(input, 'app.kubernetes.io/version') || label(input, 'version') || 'latest'
  return {
    'service.istio.io/canonical-name': name.slice(0, MAX_LABEL).replace(/-$/, ''),
    'service.istio.io/canonical-revision': revision,
  }
}

/** Which revision injected, and which container `kubectl logs` and `exec` mean when none is named. */
export function commonAnnotations(input: TemplateInput): Record<string, string> {
  const first = applicationContainers(input)[0]
  const defaults = ['kubectl.kubernetes.io/default-logs-container', 'kubectl.kubernetes.io/default-container']
  return {
    'istio.io/rev': input.revision || 'default',
    ...(first === undefined
      ? {}
      : Object.fromEntries(defaults.filter((name) => annotation(input, name) === undefined).map((name) => [name, first]))),
  }
}

/** With the CNI plugin, the node agent sets capture up from these. */
export function cniAnnotations(input: TemplateInput): Record<string, string> {
  if (!flagAt(input.values, 'pilot.cni.enabled')) return {}
  const traffic = 'traffic.sidecar.istio.io/'
  const optional: [string, string][] = [
    [`${traffic}includeOutboundIPRanges`, annotationOr(input, `${traffic}includeOutboundIPRanges`, 'global.proxy.includeIPRanges')],
    [`${traffic}excludeOutboundIPRanges`, annotationOr(input, `${traffic}excludeOutboundIPRanges`, 'global.proxy.excludeIPRanges')],
    [`${traffic}includeInboundPorts`, annotationOr(input, `${traffic}includeInboundPorts`, 'global.proxy.includeInboundPorts')],
    [`${traffic}includeOutboundPorts`, annotationOr(input, `${traffic}includeOutboundPorts`, 'global.proxy.includeOutboundPorts')],
    [`${traffic}excludeOutboundPorts`, annotationOr(input, `${traffic}excludeOutboundPorts`, 'global.proxy.excludeOutboundPorts')],
    ...[`${traffic}kubevirtInterfaces`, 'istio.io/reroute-virtual-interfaces', `${traffic}excludeInterfaces`].map(
      (name): [string, string] => [name, annotation(input, name) ?? ''],
    ),
  ]
  return {
    ...multusNetworks(input),
    'sidecar.istio.io/interceptionMode': podInterceptionMode(input),
    [`${traffic}excludeInboundPorts`]: excludedInboundPorts(input),
    ...Object.fromEntries(optional.filter(([, value]) => value !== '')),
  }
}

/** Inbound ports left alone, among them the agent's status port. */
export function excludedInboundPorts(input: TemplateInput): string {
  const port = podStatusPort(input).trim()
  const excluded = annotationOr(input, 'traffic.sidecar.istio.io/excludeInboundPorts', 'global.proxy.excludeInboundPorts')
  const ports = excluded
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  return port === '' || port === '0' || ports.includes(port) ? excluded : [...ports, port].join(',')
}

const MULTUS = 'k8s.v1.cni.cncf.io/networks'

function multusNetworks(input: TemplateInput): Record<string, string> {
  if (textAt(input.values, 'pilot.cni.provider') !== 'multus') return {}
  return { [MULTUS]: appendMultusNetwork(annotation(input, MULTUS) ?? '', 'default/istio-cni') }
}

/** Adds a network to a Multus annotation, which is a comma separated list or a JSON list; nothing changes when it is there. */
export function appendMultusNetwork(existing: string, network: string): string {
  if (existing === '') return network
  const trimmed = existing.trimEnd()
  if (!trimmed.endsWith(']')) return existing.includes(network) ? existing : `${existing}, ${network}`
  const [namespace = '', name = ''] = network.split('/')
  if (existing.includes(`"${name}"`)) return existing
  const item = JSON.stringify({ name, namespace }).replaceAll(':', ': ').replaceAll(',', ', ')
  return trimmed === '[]' ? `[${item}]` : `${trimmed.slice(0, -1)}, ${item}]`
}
