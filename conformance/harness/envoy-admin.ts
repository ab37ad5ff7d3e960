/** Envoy's admin page inside a pod, asked as users do: by `pilot-agent request`. */
import type { Mesh } from './mesh.ts'

/** What the proxy of a pod (or `deployment/<name>`) answers to `GET /<path>`. */
export function askEnvoy(mesh: Mesh, pod: string, path: string, namespace = 'feat'): Promise<string> {
  return mesh.kubectl('exec', pod, '-n', namespace, '-c', 'istio-proxy', '--', 'pilot-agent', 'request', 'GET', path)
}
