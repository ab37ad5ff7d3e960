/** A Kubernetes API with Istio's CRDs for tests: the embedded server in this process, or the one of `KUBECONFIG_UNDER_TEST`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crds, type KubeObject, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { type ApiServer, startApiServer } from '@lateen/apiserver'
import { createKubeClient, type KubeClient, listWatch, loadConnection } from '@lateen/kube'
import { type ControlPlane, startControlPlane } from '../src/control-plane.ts'
import { readOptions } from '../src/options/discovery-options.ts'

export interface TestCluster {
  readonly client: KubeClient
  readonly kubeconfig: string
  readonly directory: string
  /** Starts a control plane on free ports; it is closed with the cluster. */
  startControlPlane(env?: NodeJS.ProcessEnv, flags?: readonly string[]): Promise<ControlPlane>
  createNamespace(name: string, labels?: Record<string, string>): Promise<void>
  /** A token of a service account, which is made when it is missing. */
  token(namespace: string, serviceAccount: string, audience?: string): Promise<string>
  /** The first state of an object, of any name when none is given, for which the claim holds. */
  until(
    type: ResourceType,
    namespace: string | undefined,
    name: string | undefined,
    holds: (object: KubeObject) => boolean,
  ): Promise<KubeObject>
  close(): Promise<void>
}

const ADDRESSES = ['grpcAddr', 'secureGRPCAddr', 'httpAddr', 'httpsAddr', 'monitoringAddr'].map((flag) => `--${flag}=127.0.0.1:0`).concat('--ctrlz_port=0')

export async function startTestCluster(): Promise<TestCluster> {
  const directory = mkdtempSync(join(tmpdir(), 'control-plane-'))
  const given = process.env.KUBECONFIG_UNDER_TEST
  const server = given ? undefined : await startEmbedded(join(directory, 'api'))
  const kubeconfig = given ?? join(directory, 'kubeconfig')
  if (server) writeFileSync(kubeconfig, kubeconfigText(server))
  const client = createKubeClient(loadConnection({ path: kubeconfig }))
  const planes: ControlPlane[] = []
  return {
    client,
    kubeconfig,
    directory,
    startControlPlane: async (env = {}, flags = []) => {
      const all = [`--kubeconfig=${kubeconfig}`, '--shutdownDuration=200ms', ...ADDRESSES, ...flags]
      const plane = await startControlPlane(readOptions(all, env))
      planes.push(plane)
      return plane
    },
    createNamespace: async (name, labels = {}) => {
      await client.create(RESOURCE_TYPES.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })
    },
    token: (namespace, serviceAccount, audience = 'istio-ca') => requestToken(client, namespace, serviceAccount, audience),
    until: (type, namespace, name, holds) => waitFor(client, type, { namespace, name }, holds),
    close: async () => {
      for (const plane of planes) await plane.close()
      client.close()
      await server?.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function startEmbedded(dataDir: string): Promise<ApiServer> {
  return startApiServer({
    dataDir,
    listen: [{ host: '127.0.0.1', port: 0 }],
    serviceCidr: '10.96.0.0/16',
    nodePortRange: '30000-32767',
    extraSans: [],
    crds: crds(),
    resolveService: () => Promise.reject(new Error('no Services are reachable in this test')),
  })
}

function kubeconfigText({ addresses, caPem, adminToken }: ApiServer): string {
  const [address] = addresses
  const server = typeof address === 'object' ? `https://${address.host}:${address.port}` : ''
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': Buffer.from(caPem).toString('base64') } }],
    users: [{ name: 'admin', user: { token: adminToken } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
  })
}

async function requestToken(client: KubeClient, namespace: string, name: string, audience: string): Promise<string> {
  try {
    await client.create(RESOURCE_TYPES.ServiceAccount, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } })
  } catch {
    // It exists already.
  }
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: [audience], expirationSeconds: 3600 } }
  const answer = await client.request<{ status: { token: string } }>(
    'POST',
    `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    request,
  )
  return answer.status.token
}

function waitFor(
  client: KubeClient,
  type: ResourceType,
  at: { readonly namespace: string | undefined; readonly name: string | undefined },
  holds: (object: KubeObject) => boolean,
): Promise<KubeObject> {
  return new Promise((resolve) => {
    const check = (object: KubeObject) => {
      if ((at.name !== undefined && object.metadata.name !== at.name) || !holds(object)) return
      watch.stop()
      resolve(object)
    }
    const watch = listWatch(client, type, at.namespace ? { namespace: at.namespace } : {}, {
      replace: (objects) => void objects.forEach(check),
      set: check,
      delete: () => undefined,
    })
  })
}
