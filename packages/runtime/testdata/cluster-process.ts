/**
 * A cluster for tests: the real API server and the local cluster in one process, as `lateen up` runs them. Calls of the client come in
 * over IPC as `{id, method, args}` and are answered with `{id, value}` or `{id, error}`.
 */
import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { join } from 'node:path'
import { startApiServer } from '@lateen/apiserver'
import { HostPortClient, startCluster, type UidMapping } from '../src/index.ts'

const stateDir = process.env.TEST_STATE_DIR ?? ''
const mapping: UidMapping = process.env.TEST_UID_MAPPING === 'root' ? 'root' : process.env.TEST_UID_MAPPING === 'range' ? 'range' : 'single'
const lateenDir = process.env.TEST_LATEEN_DIR ?? ''

const server = await startApiServer({
  dataDir: join(stateDir, 'api'),
  listen: [{ host: '0.0.0.0', port: 6443 }],
  serviceCidr: '10.96.0.0/12',
  nodePortRange: '30000-32767',
  extraSans: [],
  crds: [],
  resolveService: async (namespace, name, port) => ({ host: `${name}.${namespace}.svc`, port }),
})
const client = server.localClient()
const cluster = await startCluster({
  client,
  listWatch: (type, options, handler) => client.watch(type, options, handler),
  stateDir: join(stateDir, 'node'),
  node: { name: 'test', podCidr: '10.244.0.0/16', serviceCidr: '10.96.0.0/12', dnsAddress: '10.96.0.10', bridge: 'lateen0' },
  images: join(stateDir, 'images.yaml'),
  lateenDir,
  nodeBinary: process.execPath,
  uidMapping: mapping,
  apiPort: 6443,
  apiCa: server.caPem,
  hostPorts: new HostPortClient(),
  hostPortMap: { 80: Number(process.env.TEST_GATEWAY_PORT ?? 18_080) },
})
server.setPods(cluster.pods)

type Call = { readonly id: number; readonly method: string; readonly args: readonly unknown[] }

const calls: Record<string, (...args: never[]) => Promise<unknown>> = {
  get: (...args: Parameters<typeof client.get>) => client.get(...args),
  list: (...args: Parameters<typeof client.list>) => client.list(...args),
  create: (...args: Parameters<typeof client.create>) => client.create(...args),
  update: (...args: Parameters<typeof client.update>) => client.update(...args),
  patch: (...args: Parameters<typeof client.patch>) => client.patch(...args),
  delete: (...args: Parameters<typeof client.delete>) => client.delete(...args),
  exec: async (namespace: string, pod: string, container: string | undefined, command: string[]) => {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()]
    const { exitCode } = await cluster.pods.exec(namespace, pod, container, command, { stdout, stderr, tty: false, signal: AbortSignal.timeout(20_000) })
    stdout.end()
    stderr.end()
    return { exitCode, stdout: (await buffer(stdout)).toString(), stderr: (await buffer(stderr)).toString() }
  },
  logs: async (namespace: string, pod: string, container: string | undefined, options: { previous?: boolean; tailLines?: number; timestamps?: boolean }) => {
    const out = new PassThrough()
    await cluster.pods.logs(namespace, pod, container, { follow: false, timestamps: false, previous: false, ...options }, out, AbortSignal.timeout(20_000))
    out.end()
    return (await buffer(out)).toString()
  },
  forward: async (namespace: string, pod: string, port: number, text: string) => {
    const connection = await cluster.pods.portForward(namespace, pod, port)
    connection.end(text)
    return (await buffer(connection)).toString()
  },
  status: async () => cluster.status(),
  stop: async (endPods: number | undefined) => {
    await cluster.stop(endPods === undefined ? {} : { endPods })
    await server.close()
  },
}

process.on('message', (message: Call) => {
  // Messages of other kinds are those of the host ports.
  if (typeof message.id !== 'number') return
  const call = calls[message.method]
  Promise.resolve(call?.(...(message.args as never[])))
    .then((value) => process.send?.({ id: message.id, value }))
    .catch((error: unknown) => process.send?.({ id: message.id, error: error instanceof Error ? error.message : String(error), code: error instanceof Error && 'code' in error ? error.code : undefined }))
    .finally(() => {
      if (message.method === 'stop') process.disconnect?.()
    })
})
process.on('disconnect', () => process.exit(0))
process.send?.({ ready: true })
