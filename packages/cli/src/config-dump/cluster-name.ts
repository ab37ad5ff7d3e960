/** Istio's cluster names: `direction|port|subset|host`. */
import { compareText } from '@lateen/base'
export interface ClusterKey {
  readonly direction: string
  readonly port: number
  readonly subset: string
  readonly host: string
}

/** The parts of a name; a name of another form is a host alone. */
export function parseClusterName(name: string): ClusterKey {
  const parts = name.split('|')
  // SNI-DNAT names have underscores: `outbound_.80_.v1_.host`.
  const [direction, port, subset, host] = parts.length > 3 ? parts : name.split('_.').length > 3 ? name.split('_.') : []
  if (direction === undefined || host === undefined) return { direction: '', port: 0, subset: '', host: name }
  return { direction, port: Number(port) || 0, subset: subset ?? '', host }
}

/** By host, subset, port, direction: the order of istioctl's tables. */
export function compareClusterNames(left: string, right: string): number {
  const [a, b] = [parseClusterName(left), parseClusterName(right)]
  return compareText(a.host, b.host) || compareText(a.subset, b.subset) || a.port - b.port || compareText(a.direction, b.direction)
}
