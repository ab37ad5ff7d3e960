/** One API server with one identity, as read from a kubeconfig or from the pod's own files. */
import { readFileSync } from 'node:fs'
import { type CredentialSource, tokenFileCredentials } from './credentials.ts'
import { KubeConfigError } from './errors.ts'

export interface Connection {
  readonly server: URL
  /** PEM bundle; the system's roots when absent. */
  readonly ca?: string
  readonly insecureSkipTlsVerify: boolean
  readonly tlsServerName?: string
  readonly credentials: CredentialSource
  /** The namespace of the context, `default` when none is set. */
  readonly namespace: string
  /** Where this comes from, for messages: `context "dev" of ~/.kube/config`. */
  readonly origin: string
  readonly impersonate?: Impersonation
  /** On the way to the server. */
  readonly proxy?: URL
}

/** As whom the server is asked to treat the client. */
export interface Impersonation {
  readonly user: string
  readonly groups: readonly string[]
  readonly uid?: string
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** Where Kubernetes mounts a pod's token, CA and namespace. */
export const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Whether this process looks like it runs in a pod with a service account. */
export function isInCluster(env: NodeJS.ProcessEnv, directory = SERVICE_ACCOUNT_DIRECTORY): boolean {
  return Boolean(env.KUBERNETES_SERVICE_HOST) && readIfPresent(`${directory}/token`) !== undefined
}

/**
 * The connection of a pod: address from `KUBERNETES_SERVICE_HOST`/`_PORT`, token (read again as it is rotated) and CA from the
 * mounted files.
 *
 * @throws KubeConfigError naming what is missing
 */
export function inClusterConnection(env: NodeJS.ProcessEnv, directory = SERVICE_ACCOUNT_DIRECTORY): Connection {
  const host = env.KUBERNETES_SERVICE_HOST
  const port = env.KUBERNETES_SERVICE_PORT || '443'
  if (!host) throw new KubeConfigError('KUBERNETES_SERVICE_HOST is not set: this is no pod; pass --kubeconfig')
  const ca = readIfPresent(`${directory}/ca.crt`)
  if (ca === undefined)
    throw new KubeConfigError(`${directory}/ca.crt is missing: the pod has no service account mounted; pass --kubeconfig`)
  return {
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    ca,
    insecureSkipTlsVerify: false,
    credentials: tokenFileCredentials(`${directory}/token`),
    namespace: readIfPresent(`${directory}/namespace`)?.trim() || 'default',
    origin: 'service account of this pod',
  }
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
