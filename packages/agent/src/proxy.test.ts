import { execFile } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { NameTableSchema } from '@lateen/envoy/gen/istio/networking/nds/v1/nds_pb.js'
import { afterEach, describe, expect, test } from 'vitest'
import {
  type AgentFolder,
  type AgentRun,
  ask,
  ENVOY,
  eventually,
  makeAgentFolder,
  type RunningAgent,
  runAgent,
} from '../testdata/agent-harness.ts'
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from '../testdata/control-plane.ts'
import { queryDns } from '../testdata/dns-client.ts'
import { connectToMesh } from '../testdata/mesh-client.ts'
import { tlsListener } from '../testdata/traffic.ts'
import { runRequest } from './request.ts'
import { runWait } from './wait.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Setup {
  readonly plane: ControlPlane
  readonly folder: AgentFolder
}

async function setup(files: Record<string, string> = {}): Promise<Setup> {
  const plane = await openPlane()
  const folder = await makeAgentFolder(plane.rootPem, files)
  cleanups.push(folder.remove)
  plane.set(ListenerSchema, [{ name: 'inbound', message: tlsListener(folder.ports.traffic) }])
  return { plane, folder }
}

async function openPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const plane = await startControlPlane(options)
  cleanups.push(() => plane.close())
  plane.set(ClusterSchema, [])
  return plane
}

function start({ plane, folder }: { plane: Pick<ControlPlane, 'port'>; folder: AgentFolder }, run: AgentRun = {}): RunningAgent {
  const agent = runAgent(folder, plane, run)
  cleanups.push(() => end(agent))
  return agent
}

async function end(agent: RunningAgent): Promise<number> {
  agent.signal()
  return agent.exit
}

const ready = ({ ports }: AgentFolder) =>
  eventually(async () => expect(await ask(ports.envoyStatus, '/healthz/ready')).toEqual({ status: 200, body: '' }))
const envoyPid = (agent: RunningAgent) => Number(/started Envoy, process (\d+)(?![\s\S]*started Envoy)/.exec(agent.output())?.[1])

describe.skipIf(!ENVOY)('an agent with Envoy', () => {
  test('gets a certificate with its token, becomes ready, serves mutual TLS only, and ends with 0', async () => {
    const { plane, folder } = await setup()
    const agent = start({ plane, folder })
    await ready(folder)
    expect(plane.calls).toEqual([
      { token: 'Bearer token-1', clusterId: 'Kubernetes', metadata: { workload: 'cart', cluster: 'Kubernetes' }, peer: undefined },
    ])
    expect(plane.streams).toEqual([
      {
        token: 'Bearer token-1',
        nodeId: 'sidecar~127.0.0.1~cart-1.shop~shop.svc.cluster.local',
        peer: 'URI:spiffe://cluster.local/ns/shop/sa/cart',
      },
    ])
    expect(plane.nacks).toEqual([])
    const client = await connectToMesh(plane, folder.ports.traffic)
    expect(await client.get('/')).toBe('200 hello')
    client.close()
    const stranger = await connectToMesh(plane, folder.ports.traffic, { certificate: false })
    await expect(stranger.get('/')).rejects.toThrow()
    expect(await end(agent)).toBe(0)
  })

  test('rotates its certificate while connections stay open: new ones see the new serial', { timeout: 40_000 }, async () => {
    const { plane, folder } = await setup()
    // Backdated by two minutes, so half of its life is over ten seconds from now.
    plane.ttlMs = 140_000
    start({ plane, folder }, { env: { SECRET_GRACE_PERIOD_RATIO_JITTER: '0.001' } })
    await ready(folder)
    const before = await connectToMesh(plane, folder.ports.traffic)
    plane.ttlMs = 3_600_000
    await writeFile(join(folder.path, 'var/run/secrets/tokens/istio-token'), 'token-2')
    await eventually(async () => {
      const now = await connectToMesh(plane, folder.ports.traffic)
      now.close()
      expect(now.serial).not.toBe(before.serial)
    }, 18_000)
    expect(await before.get('/')).toBe('200 hello')
    before.close()
    expect(plane.calls.map((call) => call.token)).toEqual(['Bearer token-1', 'Bearer token-2'])
    expect(plane.nacks).toEqual([])
  })

  test('renews with the certificate it holds where there is no token any more', async () => {
    const { plane, folder } = await setup()
    plane.ttlMs = 122_000
    start({ plane, folder })
    await ready(folder)
    await rm(join(folder.path, 'var/run/secrets/tokens/istio-token'))
    await eventually(() =>
      expect(plane.calls.at(-1)).toMatchObject({ token: undefined, peer: 'URI:spiffe://cluster.local/ns/shop/sa/cart' }),
    )
  })

  test('that restarts while the control plane is away serves with the certificate and configuration kept, for its owner alone', async () => {
    const { plane, folder } = await setup()
    const first = start({ plane, folder })
    await ready(folder)
    expect(await end(first)).toBe(0)
    const kept = join(folder.path, 'etc/istio/proxy/last-good/identity.json')
    expect(statSync(kept).mode & 0o777).toBe(0o600)
    await plane.close()

    start({ plane, folder })
    await ready(folder)
    const client = await connectToMesh(plane, folder.ports.traffic)
    expect(await client.get('/')).toBe('200 hello')
    client.close()

    // And follows the control plane again when that is back.
    const back = await openPlane({ ca: plane.ca, port: plane.port })
    back.set(ListenerSchema, [{ name: 'inbound', message: tlsListener(folder.ports.traffic, 'changed') }])
    await eventually(async () => {
      const again = await connectToMesh(back, folder.ports.traffic)
      const answer = await again.get('/').finally(again.close)
      expect(answer).toBe('200 changed')
    })
  })

  test('is not ready, and says why, until the CA gives a certificate; then it starts by itself', async () => {
    const { plane, folder } = await setup()
    plane.refuse = 'the token is not known'
    const agent = start({ plane, folder })
    await eventually(async () =>
      expect(await ask(folder.ports.status, '/healthz/ready')).toEqual({ status: 503, body: 'the workload has no certificate yet\n' }),
    )
    await eventually(() => expect(agent.output()).toContain('no new certificate: the token is not known; next attempt in'))
    plane.refuse = undefined
    await ready(folder)
  })

  test('that is told to end while it waits for a certificate ends at once', async () => {
    const { plane, folder } = await setup()
    plane.refuse = 'no'
    const agent = start({ plane, folder })
    await eventually(() => expect(agent.output()).toContain('no new certificate'))
    expect(await end(agent)).toBe(0)
  })

  test('starts Envoy again when it dies', async () => {
    const { plane, folder } = await setup()
    const agent = start({ plane, folder })
    await ready(folder)
    const pid = envoyPid(agent)
    process.kill(pid, 'SIGKILL')
    await eventually(() => expect(agent.output()).toContain('Envoy was ended by SIGKILL; restart 1 of 10'))
    await eventually(() => expect(envoyPid(agent)).not.toBe(pid))
    await ready(folder)
    expect(readFileSync(join(folder.path, 'etc/istio/proxy/envoy-rev.json.pid'), 'utf8')).toBe(`${envoyPid(agent)}\n`)
  })

  test('drains inbound traffic on SIGTERM: work under way finishes, the answer asks to close, readiness fails', async () => {
    const { plane, folder } = await setup()
    const agent = start({ plane, folder }, { env: { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: 'true', MINIMUM_DRAIN_DURATION: '100ms' } })
    await ready(folder)
    const client = await connectToMesh(plane, folder.ports.traffic)
    expect(await client.get('/')).toBe('200 hello')
    agent.signal()
    await eventually(async () =>
      expect(await ask(folder.ports.status, '/healthz/ready')).toEqual({ status: 503, body: 'the proxy is draining\n' }),
    )
    await eventually(() => expect(agent.output()).toContain('draining for 0.1 s, then until no connection is active'))
    // Its connection is what the proxy waits for.
    expect(await client.get('/')).toBe('200 hello')
    client.close()
    expect(await agent.exit).toBe(0)
  })

  test('shows one scrape of Envoy, the application and itself, with the names that Istio has', async () => {
    const { plane, folder } = await setup()
    const app = http.createServer((request, response) => response.end(request.url === '/app' ? '# TYPE carts gauge\ncarts 7\n# EOF\n' : ''))
    await new Promise<void>((resolve) => app.listen(folder.ports.app, '127.0.0.1', resolve))
    cleanups.push(() => new Promise((resolve) => app.close(resolve)))
    start(
      { plane, folder },
      { env: { ISTIO_PROMETHEUS_ANNOTATIONS: JSON.stringify({ scrape: 'true', port: String(folder.ports.app), path: '/app' }) } },
    )
    await ready(folder)
    const { body } = await ask(folder.ports.status, '/stats/prometheus')
    expect(body).toContain('envoy_server_state{} 0')
    expect(body).toContain('envoy_cluster_upstream_cx_active{cluster_name="xds-grpc"} 1')
    expect(body).toContain('\n# TYPE carts gauge\ncarts 7\n#')
    expect(body).toContain('istio_agent_cert_expiry_seconds{resource_name="default"} 35')
    expect(body).not.toContain('# EOF')
    expect((await ask(folder.ports.prometheus, '/stats/prometheus')).body).toContain('envoy_server_state{} 0')
  })

  test('answers names of the mesh from the table that the control plane sends', async () => {
    const { plane, folder } = await setup()
    plane.set(NameTableSchema, [
      {
        name: 'names',
        message: {
          table: {
            'reviews.shop.svc.cluster.local': { ips: ['10.96.0.7'], registry: 'Kubernetes', shortname: 'reviews', namespace: 'shop' },
          },
        },
      },
    ])
    start({ plane, folder }, { env: { ISTIO_META_DNS_CAPTURE: 'true' } })
    await ready(folder)
    await eventually(async () =>
      expect((await queryDns(folder.ports.dns, 'Reviews.shop', 'A')).answers).toEqual([
        { name: 'Reviews.shop', type: 'A', data: '10.96.0.7' },
      ]),
    )
    plane.set(NameTableSchema, [{ name: 'names', message: { table: { 'reviews.shop.svc.cluster.local': { ips: ['10.96.0.8'] } } } }])
    await eventually(async () =>
      expect((await queryDns(folder.ports.dns, 'reviews.shop.svc.cluster.local', 'A')).answers).toMatchObject([{ data: '10.96.0.8' }]),
    )
  })

  test('is waited for by `wait`, shows Envoy by `request`, and ends by /quitquitquit from within the pod', async () => {
    const { plane, folder } = await setup()
    const agent = start({ plane, folder })
    let printed = ''
    const io = {
      cwd: '/',
      stdout: (text: string) => (printed += text),
      stderr: (text: string) => (printed += text),
      onSignal: () => () => undefined,
    }
    const url = `http://127.0.0.1:${folder.ports.envoyStatus}/healthz/ready`
    expect(await runWait(['--url', url, '--timeoutSeconds=20', '--periodMillis', '50'], io)).toBe(0)
    expect(await runRequest(['--debug-port', String(folder.ports.admin), 'GET', 'server_info'], io)).toBe(0)
    expect(JSON.parse(printed)).toMatchObject({ state: 'LIVE', node: { id: 'sidecar~127.0.0.1~cart-1.shop~shop.svc.cluster.local' } })
    expect(await ask(folder.ports.status, '/quitquitquit')).toEqual({ status: 405, body: 'POST only\n' })
    expect(await ask(folder.ports.status, '/quitquitquit', { method: 'POST', localAddress: '127.0.0.6' })).toMatchObject({ status: 403 })
    expect(await ask(folder.ports.status, '/quitquitquit', { method: 'POST' })).toMatchObject({ status: 200 })
    expect(await agent.exit).toBe(0)
    expect(await runWait(['--url', url, '--timeoutSeconds=1', '--periodMillis', '50'], io)).toBe(1)
    expect(printed).toContain(`the proxy is not ready after 1 s: ${url}: connect ECONNREFUSED`)
    // A name may stand for several addresses, which fail together.
    const byName = url.replace('127.0.0.1', 'localhost')
    expect(await runWait(['--url', byName, '--timeoutSeconds=1', '--periodMillis', '50'], io)).toBe(1)
    expect(printed).toMatch(/localhost:\d+\/healthz\/ready: connect ECONNREFUSED/)
  })

  test('uses mounted certificates in place of the CA, and follows them when they are replaced', async () => {
    const { plane, folder } = await setup()
    const { generateKey, keyToPem, makeRequest } = await import('@lateen/ca')
    const issue = () => {
      const key = generateKey()
      const signed = plane.ca.signWorkload(makeRequest(key), { identities: ['spiffe://cluster.local/ns/shop/sa/cart'] })
      return {
        serial: signed.serial,
        files: { 'cert-chain.pem': signed.chainPem, 'key.pem': keyToPem(key), 'root-cert.pem': plane.rootPem },
      }
    }
    const { mkdir, rename } = await import('node:fs/promises')
    await mkdir(join(folder.path, 'etc/certs'), { recursive: true })
    const mount = async ({ serial, files }: ReturnType<typeof issue>) => {
      for (const [name, text] of Object.entries(files)) {
        await writeFile(join(folder.path, 'etc/certs', `.${name}`), text)
        await rename(join(folder.path, 'etc/certs', `.${name}`), join(folder.path, 'etc/certs', name))
      }
      return serial
    }
    const first = await mount(issue())
    start({ plane, folder }, { env: { FILE_MOUNTED_CERTS: 'true' } })
    await ready(folder)
    const shown = async () => {
      const connection = await connectToMesh(plane, folder.ports.traffic)
      connection.close()
      return connection.serial
    }
    expect(await shown()).toBe(first)
    const second = await mount(issue())
    await eventually(async () => expect(await shown()).toBe(second))
    expect(plane.calls).toEqual([])
  })

  test('writes a bootstrap that Envoy accepts, for sidecars and routers, with overrides laid over it and marks where rootless', async () => {
    const { plane, folder } = await setup({
      'override.yaml':
        'static_resources:\n  clusters:\n  - name: extra\n    connect_timeout: 1s\nadmin:\n  ignore_global_conn_limit: true\n',
      'etc/istio/pod/labels': 'app="cart"\nversion="v1"\n',
      'etc/istio/pod/annotations':
        'sidecar.istio.io/statsInclusionPrefixes="cluster.outbound,listener"\nproxy.istio.io/config="concurrency: 1\\nstatNameLength: 200\\n"\n',
    })
    start(
      { plane, folder },
      { role: 'router', env: { ISTIO_BOOTSTRAP_OVERRIDE: './override.yaml', LATEEN_PROXY_MARK: '1337', DISABLE_ENVOY: 'true' } },
    )
    const file = join(folder.path, 'etc/istio/proxy/envoy-rev.json')
    const bootstrap = await eventually(() => JSON.parse(readFileSync(file, 'utf8')))
    expect(bootstrap.static_resources.clusters.map((cluster: { name: string }) => cluster.name)).toEqual([
      'prometheus_stats',
      'agent',
      'sds-grpc',
      'xds-grpc',
      'extra',
    ])
    expect(bootstrap.cluster_manager.upstream_bind_config.socket_options).toEqual([
      { level: 1, name: 36, int_value: 1337, state: 'STATE_PREBIND' },
    ])
    expect(bootstrap.stats_config.stats_matcher.inclusion_list.patterns).toContainEqual({ prefix: 'cluster.outbound' })
    expect(bootstrap.node).toMatchObject({
      id: 'router~127.0.0.1~cart-1.shop~shop.svc.cluster.local',
      cluster: 'cart.shop',
      metadata: { LABELS: { app: 'cart', version: 'v1' }, PROXY_CONFIG: { statNameLength: 200 } },
    })
    const { stdout, stderr } = await promisify(execFile)(ENVOY ?? '', [
      '--mode',
      'validate',
      '-c',
      file,
      '--allow-unknown-static-fields',
      '--disable-hot-restart',
    ])
    expect(stdout + stderr).toContain('OK')
    expect(stdout + stderr).not.toMatch(/deprecated|\[(warning|error|critical)\]/i)
  })
})

describe('the command', () => {
  const run = async (...argv: string[]) => {
    const { runProxy } = await import('./proxy.ts')
    let output = ''
    const io = {
      cwd: '/nowhere',
      stdout: (text: string) => (output += text),
      stderr: (text: string) => (output += text),
      onSignal: () => () => undefined,
    }
    return { code: await runProxy(argv, { ENVOY_PATH: process.execPath }, io), output }
  }

  test('refuses what it does not know, with 64 and one line', async () => {
    expect(await run('ingress')).toEqual({ code: 64, output: '"ingress" is not a role of a proxy; it is sidecar or router\n' })
    expect((await run('sidecar', '--nothing')).code).toBe(64)
    expect(await run('sidecar', '--concurrency=many')).toEqual({ code: 64, output: '--concurrency=many is not a number from 0 to 1024\n' })
    expect(await run('--help')).toMatchObject({ code: 0, output: expect.stringContaining('--proxyLogLevel <value>') })
  })
})
