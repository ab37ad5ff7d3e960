/** The kubeconfig of a mesh: one cluster, one administrator. */
import { stringify } from 'yaml'

export interface KubeconfigOptions {
  /** `https://127.0.0.1:6443` */
  readonly server: string
  readonly caPem: string
  readonly token: string
}

const NAME = 'lateen'

export function renderKubeconfig({ server, caPem, token }: KubeconfigOptions): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': NAME,
    clusters: [{ name: NAME, cluster: { server, 'certificate-authority-data': Buffer.from(caPem).toString('base64') } }],
    contexts: [{ name: NAME, context: { cluster: NAME, user: 'admin', namespace: 'default' } }],
    users: [{ name: 'admin', user: { token } }],
  })
}
