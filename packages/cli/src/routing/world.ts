/** The mesh that a question is about: objects from a cluster, from files, or files over a cluster; translated here, in this process. */
import { type KubeObject, RESOURCE_TYPES, refOf } from '@lateen/api'
import { type Diagnostic, type ObjectRef, objectName } from '@lateen/base'
import { kubeSource, MESH_KINDS, type WatchedKind } from '@lateen/config'
import type { ResourceSet } from '@lateen/envoy'
import { ApiError, ConnectionError } from '@lateen/kube'
import { type MeshSwitches, switchesFrom } from '@lateen/model'
import { type Configuration, configurationOf, type Origin } from '@lateen/simulate'
import { createMesh, DEFAULT_MESH, type MeshState, type ProxySession } from '@lateen/translate'
import { parse } from 'yaml'
import { type Cluster, connect } from '../cluster/connect.ts'
import { istiodEnvironment } from '../cluster/istiod-environment.ts'
import { switchReader } from '../input/environment.ts'
import { type FileObject, readObjects } from '../input/objects.ts'
import { readText } from '../input/read-text.ts'
import type { Context, Flag } from '../shell/command.ts'
import { CommandError, EXIT } from '../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../shell/kube-flags.ts'
import { fieldsOf, isFields, textOf } from './fields.ts'
import { type PodView, podView, proxyNode, withProxy } from './proxy-node.ts'
import { withStandIns } from './stand-ins.ts'

export interface World {
  readonly objects: readonly KubeObject[]
  readonly pods: readonly PodView[]
  readonly mesh: MeshState
  /** Namespace in which names without one are looked up. */
  readonly namespace: string
  readonly trustDomain: string
  /** What is set for the whole control plane: by the environment of the one that runs, else by this command's own. */
  readonly switches: Partial<MeshSwitches>
  /** Services that had to be assumed. */
  readonly assumed: readonly string[]
  /** There are pods and endpoints as they are, not as files let expect. */
  readonly live: boolean
  readonly files: readonly FileObject[]
  /** The configuration that a pod's proxy gets. */
  configuration(pod: PodView): Configuration
  /** What a pod's proxy is sent of a type, as of the last change of the mesh. */
  resources(pod: PodView, typeUrl: string): ResourceSet
  /** All objects that a resource was made of. */
  origins(pod: PodView, typeUrl: string, name: string): readonly ObjectRef[]
  /** The objects that hold for a pod's proxy as a whole: its Sidecar, its PeerAuthentications. */
  governing(pod: PodView): readonly ObjectRef[]
  /** `file:line` of an object, or of a place in it; undefined when it is from no file. */
  whereIs(origin: Origin): string | undefined
  readonly diagnostics: readonly Diagnostic[]
}

export const WORLD_FLAGS: readonly Flag[] = [
  {
    name: 'filename',
    short: 'f',
    value: 'FILE',
    type: 'list',
    help: 'file or folder with configuration, or - for standard input; may be repeated',
  },
  { name: 'use-kube', help: 'with -f: put the files over what the cluster has' },
  { name: 'meshConfigFile', value: 'FILE', help: 'mesh configuration, over the defaults' },
  ...KUBE_FLAGS,
]

/** The world of a command's flags; `paths` are the files and folders, those of `-f` by default. @throws CommandError */
export async function loadWorld(
  context: Pick<Context, 'flags' | 'env' | 'home'>,
  paths: readonly string[] = context.flags.list('filename'),
): Promise<World> {
  const { flags } = context
  const wanted = flags.text('namespace')
  const files = readObjects(paths, wanted || 'default')
  const meshFile = flags.text('meshConfigFile')
  const given = meshFile === undefined ? undefined : meshConfigOf(readText(meshFile), meshFile)
  if (paths.length > 0 && !flags.on('use-kube')) {
    return worldOf({ files, namespace: wanted || 'default', meshConfig: given, switches: switchesFrom(switchReader(context.env)) })
  }
  const cluster = connect(context)
  try {
    const { objects, meshConfig, switches } = await readCluster(cluster)
    const replaced = new Set(files.map(({ object }) => idOf(object)))
    const kept = objects.filter((object) => !replaced.has(idOf(object)))
    return worldOf({ files, cluster: kept, namespace: cluster.namespace || 'default', meshConfig: given ?? meshConfig, switches })
  } catch (error) {
    if (!(error instanceof ApiError || error instanceof ConnectionError)) throw error
    throw new CommandError(`cannot read the cluster: ${error.message}. With -f FILE, files alone are asked`, { cause: error })
  } finally {
    cluster.client.close()
  }
}

const idOf = (object: KubeObject): string => `${object.apiVersion.split('/')[0]} ${objectName(refOf(object))}`

/** What a mesh reads, and of pods also what their proxies are started with. */
const READ_KINDS: readonly WatchedKind[] = MESH_KINDS.map((kind) =>
  kind.type.kind === 'Pod' ? { ...kind, project: (pod) => withProxy(kind.project(pod), pod) } : kind,
)

async function readCluster({ client, istioNamespace, timeoutMs }: Cluster) {
  // Asked first, since the objects are asked for again and again while the API server cannot be reached.
  const map = await client.get(RESOURCE_TYPES.ConfigMap, istioNamespace, 'istio').catch((error: unknown) => {
    if (error instanceof ApiError && error.code !== 401) return undefined
    throw error
  })
  const switches = switchesFrom(switchReader(await istiodEnvironment({ client, istioNamespace })))
  const held: KubeObject[] = []
  const source = kubeSource({ client, rootNamespace: istioNamespace, kinds: READ_KINDS })
  source.start((changes) => {
    for (const { operation, object } of changes) if (operation === 'set') held.push(object)
  })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const states = () => source.status().find(({ error }) => error)?.error ?? 'no answer'
    timer = setTimeout(
      () => reject(new CommandError(`the cluster did not tell all objects within ${timeoutMs / 1000} s: ${states()}`)),
      timeoutMs,
    )
  })
  try {
    await Promise.race([source.synced, late])
  } finally {
    clearTimeout(timer)
    source.stop()
  }
  const text = textOf(fieldsOf(map?.['data'])['mesh'])
  return {
    objects: held,
    switches,
    meshConfig: text === '' ? undefined : meshConfigOf(text, `ConfigMap ${istioNamespace}/istio, key mesh`),
  }
}

function meshConfigOf(text: string, where: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = parse(text)
  } catch (cause) {
    throw new CommandError(`${where} is not YAML: ${cause instanceof Error ? cause.message : String(cause)}`, {
      exitCode: EXIT.data,
      cause,
    })
  }
  if (value === null || value === undefined) return {}
  if (!isFields(value)) throw new CommandError(`${where} must be a mapping of field names to values`, { exitCode: EXIT.data })
  return value
}

export interface WorldInput {
  readonly files: readonly FileObject[]
  readonly cluster?: readonly KubeObject[]
  readonly namespace: string
  readonly meshConfig?: Readonly<Record<string, unknown>> | undefined
  readonly switches?: Partial<MeshSwitches>
}

/** A world of objects; what files alone lack is added. */
export function worldOf({ files, cluster, namespace, meshConfig, switches = {} }: WorldInput): World {
  const own = files.map(({ object }) => object)
  const completed = cluster ? { objects: [...cluster, ...own], services: [] } : withStandIns(own)
  const mesh = createMesh({
    ...DEFAULT_MESH,
    switches,
    onFault: (where, error) => {
      throw new Error(`${where} threw`, { cause: error })
    },
  })
  if (meshConfig) mesh.setMeshConfig(meshConfig)
  mesh.apply(completed.objects.map((object) => ({ operation: 'set', object })))
  const sessions = new Map<PodView, ProxySession>()
  const configurations = new Map<PodView, Configuration>()
  const session = (pod: PodView): ProxySession => {
    const known = sessions.get(pod) ?? mesh.open(proxyNode(pod), { vhds: true }, () => {})
    sessions.set(pod, known)
    return known
  }
  const located = new Map(files.map((file) => [objectName(refOf(file.object)), file]))
  return {
    objects: completed.objects,
    pods: completed.objects.filter(({ kind }) => kind === 'Pod').map(podView),
    mesh,
    namespace,
    trustDomain: textOf(meshConfig?.['trustDomain']) || 'cluster.local',
    switches,
    assumed: completed.services,
    live: cluster !== undefined,
    files,
    configuration: (pod) => {
      const known = configurations.get(pod) ?? configurationOf((typeUrl) => session(pod).resources(typeUrl))
      configurations.set(pod, known)
      return known
    },
    resources: (pod, typeUrl) => session(pod).resources(typeUrl),
    origins: (pod, typeUrl, name) => mesh.origins(session(pod), typeUrl, name),
    governing: (pod) => mesh.governing(session(pod)),
    whereIs: (origin) => {
      const file = located.get(objectName(origin))
      const line = file?.lineOf(origin.path ?? '')
      return file && `${file.file}${line === undefined ? '' : `:${line}`}`
    },
    diagnostics: mesh.diagnostics(),
  }
}
