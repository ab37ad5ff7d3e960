/** `x simulate`: what a proxy's generated configuration does with calls, without a cluster and without Envoy. */
import { type KubeObject, parseDocuments } from '@lateen/api'
import { switchesFrom } from '@lateen/model'
import { configurationOf, type Outcome, readCalls, simulate as walk } from '@lateen/simulate'
import { createMesh, DEFAULT_MESH, type MeshState } from '@lateen/translate'
import { parse } from 'yaml'
import { switchReader } from '../../input/environment.ts'
import { readText } from '../../input/read-text.ts'
import { table } from '../../render/table.ts'
import { command, OUTPUT_FLAG } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'

interface Result {
  readonly results: readonly Outcome[]
}

export const simulate = command<Result>({
  help:
    'Translates configuration for one proxy and walks calls through the listeners, routes and clusters that come of it. Variables of ' +
    'the environment that switch features of istiod on or off mean the same here.',
  flags: [
    { name: 'filename', short: 'f', value: 'FILE', help: 'configuration: Istio and Kubernetes objects as YAML or JSON' },
    { name: 'proxy', value: 'FILE', help: 'the proxy: type, id, ipAddresses, configNamespace, labels, metadata' },
    { name: 'calls', value: 'FILE', help: 'the calls: {"calls": [{"name", "request"}]}' },
    { name: 'meshConfigFile', value: 'FILE', help: 'mesh configuration, over the defaults' },
    { name: 'networksFile', value: 'FILE', help: 'mesh networks' },
    OUTPUT_FLAG,
  ],
  examples: ['lateen x simulate -f config.yaml --proxy proxy.json --calls calls.json'],
  run: async ({ flags, env }) => {
    const need = (name: string): string => {
      const path = flags.text(name)
      if (path === undefined) throw new CommandError(`--${name} is missing: give a file`, { exitCode: EXIT.usage })
      return path
    }
    const mesh = createMesh({ ...DEFAULT_MESH, switches: switchesFrom(switchReader(env)) })
    const meshConfig = flags.text('meshConfigFile')
    const networks = flags.text('networksFile')
    if (meshConfig !== undefined) mesh.setMeshConfig(readValue(meshConfig))
    if (networks !== undefined) mesh.setMeshNetworks(readValue(networks))
    const path = need('filename')
    mesh.apply(readObjects(path).map((object) => ({ operation: 'set', object })))
    const session = openProxy(mesh, readValue(need('proxy')))
    const configuration = configurationOf((typeUrl) => session.resources(typeUrl))
    return { results: readCalls(readValue(need('calls'))).map((call) => walk(configuration, call)) }
  },
  render: ({ results }) =>
    table(
      ['CALL', 'RESULT', 'LISTENER', 'ROUTES', 'VIRTUAL HOST', 'ROUTE', 'CLUSTER'],
      results.map((result) => [
        result.name ?? '-',
        result.error ?? 'ok',
        result.listenerMatched ?? '-',
        result.routeConfigMatched || '-',
        result.virtualHostMatched ?? '-',
        result.routeMatched || '-',
        result.clusterMatched || '-',
      ]),
    ),
})

/** YAML or JSON; JSON is YAML. */
function readValue(path: string): unknown {
  try {
    return parse(readText(path))
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw new CommandError(`${path} is neither YAML nor JSON: ${error instanceof Error ? error.message : 'unknown fault'}`, {
      exitCode: EXIT.data,
      cause: error,
    })
  }
}

/** Objects as if all were in the cluster; those without a namespace are in `default`. */
function readObjects(path: string): KubeObject[] {
  const { objects, diagnostics } = parseDocuments(readText(path), path)
  const refused = diagnostics.find((diagnostic) => diagnostic.severity === 'Error')
  if (objects.length === 0 && refused) throw new CommandError(`${path}: ${refused.message}`, { exitCode: EXIT.data })
  return objects.map(({ object }) => ({ ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? 'default' } }))
}

function openProxy(mesh: MeshState, document: unknown) {
  const field = (name: string): unknown => (typeof document === 'object' && document !== null ? Reflect.get(document, name) : undefined)
  const text = (name: string): string => String(field(name) ?? '')
  const record = (name: string): Record<string, unknown> => {
    const value = field(name)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  }
  const addresses = field('ipAddresses')
  const ips = Array.isArray(addresses) ? addresses.map(String) : []
  const locality = record('locality')
  const metadata = record('metadata')
  return mesh.open(
    {
      id: [text('type') || 'sidecar', ips[0] ?? '', text('id'), text('dnsDomain') || `${text('configNamespace')}.svc.cluster.local`].join(
        '~',
      ),
      cluster: text('id'),
      metadata: { NAMESPACE: text('configNamespace'), ...metadata, LABELS: record('labels'), INSTANCE_IPS: ips.join(',') },
      locality: {
        region: String(locality['region'] ?? ''),
        zone: String(locality['zone'] ?? ''),
        subZone: String(locality['subzone'] ?? ''),
      },
      userAgentName: 'envoy',
      userAgentVersion: '1.40.0',
    },
    { vhds: true },
    () => {},
  )
}
