/** `x workload entry configure`: writes the files with which a machine outside the cluster joins the mesh. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { type ConfigMap, type KubeObject, parseMeshConfig, RESOURCE_TYPES, type Service, type WorkloadGroupSpec } from '@lateen/api'
import { isNotFound } from '@lateen/kube'
import { type Cluster, withCluster } from '../../../cluster/connect.ts'
import { readObjects } from '../../../input/objects.ts'
import { type Context, command } from '../../../shell/command.ts'
import { CommandError, EXIT } from '../../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../../shell/kube-flags.ts'
import {
  accountOf,
  controlPlaneHost,
  environmentFile,
  hostsFile,
  type MachineOptions,
  machineProxyConfig,
  meshFile,
} from './machine-files.ts'

type Group = KubeObject<WorkloadGroupSpec>

interface Written {
  readonly directory: string
}

export const entryConfigure = command<Written>({
  help: 'Writes what a machine outside the cluster needs to join the mesh: mesh.yaml, cluster.env, hosts, the root certificate and a token of its service account.',
  flags: [
    { name: 'file', short: 'f', value: 'FILE', help: 'the WorkloadGroup; without it, --name and --namespace of one in the cluster' },
    { name: 'name', value: 'NAME', help: 'name of the WorkloadGroup' },
    { name: 'output', short: 'o', value: 'DIR', help: 'where the files are written' },
    { name: 'clusterID', value: 'ID', help: "the cluster's name in the mesh (default: that of the installation)" },
    { name: 'tokenDuration', value: 'SECONDS', type: 'integer', default: 3600, help: 'how long the token is valid' },
    {
      name: 'ingressService',
      value: 'NAME[.NAMESPACE]',
      default: 'istio-eastwestgateway',
      help: 'service of the gateway through which the machine reaches the control plane',
    },
    { name: 'ingressIP', value: 'IP', help: "the gateway's address, instead of that of the service" },
    { name: 'autoregister', help: 'the control plane makes a WorkloadEntry when the machine connects' },
    { name: 'capture-dns', default: true, help: 'the agent answers DNS queries' },
    { name: 'internalIP', value: 'IP', help: "the machine's address inside its network" },
    { name: 'externalIP', value: 'IP', help: "the machine's address outside of its network" },
    { name: 'revision', short: 'r', value: 'REVISION', help: 'the control plane to join' },
    ...KUBE_FLAGS,
  ],
  examples: [
    'lateen x workload entry configure -f workloadgroup.yaml -o vm',
    'lateen x workload entry configure --name db --namespace vms -o vm --autoregister',
  ],
  run: async (context) => {
    const { flags } = context
    const file = flags.text('file')
    if (!file && !(flags.text('name') && flags.given('namespace'))) {
      throw new CommandError('expecting a WorkloadGroup artifact file or the name and namespace of an existing WorkloadGroup')
    }
    const directory = flags.text('output')
    if (!directory) throw new CommandError('expecting an output directory')
    if (flags.text('internalIP') && flags.text('externalIP')) throw new CommandError('--internalIP and --externalIP exclude each other')
    return withCluster(context, async (cluster) => {
      const group = file ? groupOfFile(file, cluster.namespace) : await groupOfCluster(cluster, flags.text('name') ?? '')
      await writeMachine(context, cluster, group, directory)
      return { directory }
    })
  },
  render: ({ directory }) => `Configuration generation into directory ${directory} was successful`,
})

function groupOfFile(file: string, namespace: string): Group {
  const found = readObjects([file], namespace).find(({ object }) => object.kind === 'WorkloadGroup')
  if (!found) throw new CommandError(`${file} holds no WorkloadGroup`, { exitCode: EXIT.data })
  return withSpec(found.object)
}

async function groupOfCluster({ client, namespace }: Cluster, name: string): Promise<Group> {
  try {
    return withSpec(await client.get(RESOURCE_TYPES.WorkloadGroup, namespace, name))
  } catch (error) {
    if (!isNotFound(error)) throw error
    throw new CommandError(
      `there is no WorkloadGroup "${name}" in namespace "${namespace}"; see: kubectl get workloadgroups -n ${namespace}`,
    )
  }
}

/** Both the API server and the reader of files have checked the object against the kind's schema. */
const withSpec = (object: KubeObject): Group => object as Group

async function writeMachine(context: Context, cluster: Cluster, group: Group, directory: string): Promise<void> {
  const { flags, progress } = context
  const revision = flags.text('revision') ?? ''
  const options: MachineOptions = {
    group,
    mesh: await meshOf(cluster, revision),
    istioNamespace: cluster.istioNamespace,
    revision,
    clusterId: flags.text('clusterID') ?? (await clusterIdOf(cluster, revision)),
    autoregister: flags.on('autoregister'),
    captureDns: flags.on('capture-dns'),
    internalIp: flags.text('internalIP') ?? '',
    externalIp: flags.text('externalIP') ?? '',
  }
  const config = machineProxyConfig(options)
  const files: Readonly<Record<string, string>> = {
    'mesh.yaml': meshFile(config),
    'cluster.env': environmentFile(options, config),
    'root-cert.pem': await rootCertificate(cluster, group.metadata.namespace ?? ''),
    'istio-token': await token(cluster, group, flags.integer('tokenDuration') ?? 3600),
    hosts: hostsFile(await gatewayAddress(context, cluster, revision), cluster.istioNamespace, revision),
  }
  mkdirSync(directory, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(directory, name), content, { mode: name === 'istio-token' ? 0o600 : 0o644 })
  }
  progress.note(
    `Warning: a security token for namespace "${group.metadata.namespace}" and service account "${accountOf(group)}" has been generated and stored at "${join(directory, 'istio-token')}"`,
  )
}

const ofRevision = (name: string, revision: string): string => (revision === '' || revision === 'default' ? name : `${name}-${revision}`)

async function meshOf(cluster: Cluster, revision: string): Promise<MachineOptions['mesh']> {
  const { data = {} } = await configMap(cluster, cluster.istioNamespace, ofRevision('istio', revision))
  return parseMeshConfig(data['mesh'] ?? '', { defaultConfig: {} }).config
}

async function clusterIdOf(cluster: Cluster, revision: string): Promise<string> {
  const { data = {} } = await configMap(cluster, cluster.istioNamespace, ofRevision('istio-sidecar-injector', revision))
  const { textAt } = await import('@lateen/inject')
  try {
    return textAt(JSON.parse(data['values'] ?? '{}'), 'global.multiCluster.clusterName') || 'Kubernetes'
  } catch {
    throw new CommandError('the cluster has no readable injector settings; say its name with --clusterID')
  }
}

async function configMap({ client }: Cluster, namespace: string, name: string): Promise<ConfigMap> {
  try {
    return await client.get<ConfigMap>(RESOURCE_TYPES.ConfigMap, namespace, name)
  } catch (error) {
    if (!isNotFound(error)) throw error
    throw new CommandError(`there is no ConfigMap "${name}" in namespace "${namespace}": is a control plane of this revision installed?`)
  }
}

async function rootCertificate(cluster: Cluster, namespace: string): Promise<string> {
  const { data = {} } = await configMap(cluster, namespace, 'istio-ca-root-cert')
  return data['root-cert.pem'] ?? ''
}

async function token({ client }: Cluster, group: Group, expirationSeconds: number): Promise<string> {
  const { namespace } = group.metadata
  const account = accountOf(group)
  try {
    const answer = await client.request<{ status?: { token?: string } }>(
      'POST',
      `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { audiences: ['istio-ca'], expirationSeconds },
      },
    )
    return answer.status?.token ?? ''
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError(`no token for service account "${account}" in namespace "${namespace}": ${reason}`, { cause: error })
  }
}

async function gatewayAddress({ flags, progress }: Context, cluster: Cluster, revision: string): Promise<string> {
  const given = flags.text('ingressIP') ?? ''
  if (isIP(given) !== 0) return given
  const [name = '', namespace = cluster.istioNamespace] = (flags.text('ingressService') ?? '').split('.')
  const service = await cluster.client.get<Service>(RESOURCE_TYPES.Service, namespace, name).catch(() => undefined)
  const address = service?.status?.loadBalancer?.ingress?.[0]?.ip ?? service?.spec?.externalIPs?.[0] ?? ''
  if (address === '') {
    progress.note(
      `Warning: service ${name}.${namespace} has no address: hosts is empty; say with --ingressIP how the machine reaches ${controlPlaneHost(cluster.istioNamespace, revision)}`,
    )
  }
  return address
}
