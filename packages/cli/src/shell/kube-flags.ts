/** The flags that every command about a cluster has, as istioctl's global ones. */
import type { Flag } from './command.ts'

export const KUBE_FLAGS: readonly Flag[] = [
  {
    name: 'kubeconfig',
    short: 'c',
    value: 'FILE',
    help: "kubeconfig (default: $KUBECONFIG, else this machine's mesh, else ~/.kube/config)",
  },
  { name: 'context', value: 'NAME', help: 'context of the kubeconfig' },
  { name: 'namespace', short: 'n', value: 'NAMESPACE', help: "namespace (default: the context's)" },
  { name: 'istioNamespace', short: 'i', value: 'NAMESPACE', default: 'istio-system', help: 'namespace of the control plane' },
  { name: 'as', value: 'USER', help: 'user to act as' },
  { name: 'as-group', value: 'GROUP', type: 'list', help: 'group to act as; may be repeated' },
  { name: 'as-uid', value: 'UID', help: 'uid to act as' },
  { name: 'kubeclient-timeout', value: 'DURATION', type: 'duration', default: '15s', help: 'longest wait for the API server' },
  { name: 'vklog', value: 'LEVEL', hidden: true, help: "accepted, without effect: the level of a Go library's log" },
]
