/**
 * Memory of an agent beside Envoy, printed: `node packages/agent/bench/memory.ts [V8 flags …]`.
 *
 * The agent is bundled as a release is, runs in a process of its own with DNS on, and is measured when Envoy has been ready for a
 * while and after a burst of DNS queries and scrapes.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { NameTableSchema } from '@lateen/envoy/gen/istio/networking/nds/v1/nds_pb.js'
import { build } from 'esbuild'
import { ask, ENVOY, eventually, makeAgentFolder } from '../testdata/agent-harness.ts'
import { startControlPlane } from '../testdata/control-plane.ts'
import { tlsListener } from '../testdata/traffic.ts'

const plane = await startControlPlane()
const folder = await makeAgentFolder(plane.rootPem)
const { ports } = folder
const entry = join(folder.path, 'main.ts')
await writeFile(
  entry,
  `import { runProxy } from ${JSON.stringify(join(import.meta.dirname, '../src/proxy.ts'))}\n${process.env.EXTRA ?? ''}\nprocess.exitCode = await runProxy(process.argv.slice(2))\n`,
)
const bundle = await build({
  entryPoints: [entry],
  outdir: join(folder.path, 'dist'),
  bundle: true,
  splitting: true,
  minify: true,
  platform: 'node',
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  metafile: true,
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
})
for (const [name, { bytes }] of Object.entries(bundle.metafile.outputs)) process.stdout.write(`${name.split('/').at(-1)}: ${bytes} bytes\n`)

const services = Array.from({ length: Number(process.env.SERVICES ?? 1000) }, (_, i) => `service-${i}.shop.svc.cluster.local`)
plane.set(
  ClusterSchema,
  services.map((name) => ({ name: `outbound|80||${name}`, message: { name: `outbound|80||${name}` } })),
)
plane.set(ListenerSchema, [{ name: 'inbound', message: tlsListener(ports.traffic) }])
plane.set(NameTableSchema, [
  {
    name: 'names',
    message: {
      table: Object.fromEntries(
        services.map((name, i) => [
          name,
          { ips: [`10.96.${i >> 8}.${i & 255}`], registry: 'Kubernetes', shortname: name.split('.')[0] ?? '', namespace: 'shop' },
        ]),
      ),
    },
  },
])

const agent = spawn(process.execPath, [...process.argv.slice(2), join(folder.path, 'dist/main.mjs'), 'sidecar', '--concurrency', '1'], {
  cwd: folder.path,
  stdio: ['ignore', 'inherit', 'inherit'],
  env: {
    ...process.env,
    PATH: process.env.PATH,
    ENVOY_PATH: ENVOY,
    POD_NAMESPACE: 'shop',
    SERVICE_ACCOUNT: 'cart',
    INSTANCE_IP: '127.0.0.1',
    ISTIOD_SAN: 'istiod.istio-system.svc',
    ISTIO_META_DNS_CAPTURE: 'true',
    DNS_PROXY_ADDR: `127.0.0.1:${ports.dns}`,
    ENVOY_PROMETHEUS_PORT: String(ports.prometheus),
    ENVOY_STATUS_PORT: String(ports.envoyStatus),
    PROXY_CONFIG: JSON.stringify({
      discoveryAddress: `127.0.0.1:${plane.port}`,
      proxyAdminPort: ports.admin,
      statusPort: ports.status,
      terminationDrainDuration: '0s',
    }),
  },
})
await eventually(async () => {
  if ((await ask(ports.envoyStatus, '/healthz/ready')).status !== 200) throw new Error('not ready')
})
print('ready', agent)
await sleep(2000)
print('after 2 s', agent)
await burst()
print('after 5,000 DNS queries and 20 scrapes', agent)
await sleep(3000)
print('3 s later', agent)
agent.kill('SIGTERM')
await new Promise((resolve) => agent.once('exit', resolve))
await plane.close()
await folder.remove()

async function burst(): Promise<void> {
  const socket = createSocket('udp4')
  for (let i = 0; i < 5000; i++) {
    const labels = `service-${i % 1000}.shop.svc.cluster.local`
      .split('.')
      .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
    const query = Buffer.concat([Buffer.from([i >> 8, i & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), ...labels, Buffer.from([0, 0, 1, 0, 1])])
    const answered = new Promise((resolve) => socket.once('message', resolve))
    socket.send(query, ports.dns, '127.0.0.1')
    await answered
  }
  socket.close()
  for (let i = 0; i < 20; i++) await ask(ports.status, '/stats/prometheus')
}

function print(when: string, child: ChildProcess): void {
  const rollup = readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8')
  const mb = (field: string) => (Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(rollup)?.[1] ?? 0) / 1024).toFixed(1)
  process.stdout.write(`${when}: RSS ${mb('Rss')} MB, PSS ${mb('Pss')} MB, of its own (anonymous) ${mb('Anonymous')} MB\n`)
}
