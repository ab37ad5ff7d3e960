/** Namespaces of Kubernetes itself: nothing in them is part of a mesh. */
const NAMES: ReadonlySet<string> = new Set(['kube-system', 'kube-public', 'kube-node-lease', 'local-path-storage'])

/** Whether the namespace, or an object in it, is left out of analysis. */
export const isSystemNamespace = (namespace: string): boolean => NAMES.has(namespace)
