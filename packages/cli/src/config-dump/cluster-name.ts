/** Istio's cluster names: `direction|port|subset|host`. */
import { compareText } from '@lateen/base'
export interface ClusterKey {
  readonly direction: string
  readonly port: number
  readonly subset: string
  readonly host: string
}

/** The parts of a name; a name of another form is a host alone, those with underscores (of a gateway's SNI routing) too, as in istioctl. */
export function parseClusterName(name: string): ClusterKey {
  const [direction, port, subset, host] = name.split('|')
  if (direction === undefined || host === undefined) return { direction: '', port: 0, subset: '', host: name }
  return { direction, port: Number(port) || 0, subset: subset ?? '', host }
}

/** By host, subset, port, direction: the order of istioctl's tables. */
export function compareClusterNames(left: string, right: string): number {
  const [a, b] = [parseClusterName(left), parseClusterName(right)]
  return compareText(a.host, b.host) || compareText(a.subset, b.subset) || a.port - b.port || compareText(a.direction, b.direction)
}
