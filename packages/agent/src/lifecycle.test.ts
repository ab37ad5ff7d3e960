/** The end of a proxy, with a real Envoy: what is under way finishes, what comes in is sent elsewhere, what goes out is left alone. */
import http from 'node:http'
import { ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { afterEach, describe, expect, test } from 'vitest'
import {
  type AgentRun,
  ask,
  ENVOY,
  eventually,
  freePorts,
  makeAgentFolder,
  type RunningAgent,
  runAgent,
} from '../testdata/agent-harness.ts'
import { type ControlPlane, startControlPlane } from '../testdata/control-plane.ts'
import { plainListener, staticCluster } from '../testdata/traffic.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Scene {
  readonly agent: RunningAgent
  readonly plane: ControlPlane
  readonly ports: RunningAgent['folder']['ports'] & { readonly outbound: number }
  /** Answers the requests that the application holds back. */
  readonly answerHeld: () => void
  readonly held: () => number
}

/** A proxy before an application that answers at once, but for `/held`, which it answers when told. */
async function scene(run: AgentRun): Promise<Scene> {
  const waiting: http.ServerResponse[] = []
  const app = http.createServer((request, response) => {
    if (request.url === '/held') waiting.push(response)
    else response.end('now')
  })
  const plane = await startControlPlane()
  cleanups.push(() => plane.close())
  const folder = await makeAgentFolder(plane.rootPem)
  cleanups.push(folder.remove)
  await new Promise<void>((resolve) => app.listen(folder.ports.app, '127.0.0.1', resolve))
  cleanups.push(() => new Promise((resolve) => app.close(resolve).closeAllConnections()))
  const [outbound = 0] = await freePorts(1)
  plane.set(ClusterSchema, [{ name: 'app', message: staticCluster('app', folder.ports.app) }])
  plane.set(ListenerSchema, [
    { name: 'inbound', message: plainListener('inbound', folder.ports.traffic, 'app') },
    { name: 'outbound', message: plainListener('outbound', outbound, 'app') },
  ])
  const agent = runAgent(folder, plane, run)
  cleanups.push(async () => {
    agent.signal()
    agent.signal()
    await agent.exit
  })
  await eventually(async () => expect(await ask(folder.ports.envoyStatus, '/healthz/ready')).toMatchObject({ status: 200 }))
  await eventually(async () => expect(await ask(folder.ports.traffic, '/')).toMatchObject({ status: 200 }))
  const answerHeld = () => {
    for (const response of waiting.splice(0)) response.end('at last')
  }
  return { agent, plane, ports: { ...folder.ports, outbound }, answerHeld, held: () => waiting.length }
}

/** A client that keeps its connection; each call says how the answer leaves it. */
function keptConnection(port: number): (path: string) => Promise<string> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  cleanups.push(() => Promise.resolve(agent.destroy()))
  return (path) =>
    new Promise((resolve, reject) => {
      const request = http.get({ host: '127.0.0.1', port, path, agent }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
        response.on('end', () => resolve(`${response.statusCode} ${body}, ${response.headers.connection ?? 'kept'}`))
        response.on('error', reject)
      })
      request.on('error', reject)
    })
}

const KEPT = /now, (keep-alive|kept)$/
const CLOSED = '200 now, close'

describe.skipIf(!ENVOY)('an agent that is to end', () => {
  test('lets a request finish, sends clients elsewhere, and leaves outgoing connections as they are', async () => {
    const { agent, ports, answerHeld, held } = await scene({ proxyConfig: { terminationDrainDuration: '2s' } })
    const slow = keptConnection(ports.traffic)('/held')
    const outgoing = keptConnection(ports.outbound)
    expect(await outgoing('/')).toMatch(KEPT)
    await eventually(() => expect(held()).toBe(1))
    agent.signal()
    await eventually(async () => expect(await keptConnection(ports.traffic)('/')).toBe(CLOSED))
    expect(await outgoing('/')).toMatch(KEPT)
    expect(await ask(ports.status, '/healthz/ready')).toEqual({ status: 503, body: 'the proxy is draining\n' })
    answerHeld()
    expect(await slow).toBe('200 at last, close')
    expect(await agent.exit).toBe(0)
  })

  test('after /drain keeps serving until it is told to end, and then ends without a further drain', async () => {
    const { agent, ports } = await scene({ proxyConfig: { terminationDrainDuration: '300s', drainDuration: '1s' } })
    expect(await ask(ports.status, '/drain', { method: 'POST' })).toMatchObject({ status: 200 })
    await eventually(async () => expect(await keptConnection(ports.traffic)('/')).toBe(CLOSED))
    expect(await keptConnection(ports.outbound)('/')).toMatch(KEPT)
    // Envoy's own drain time is over by then; whoever has not heard of the end is still served.
    const drained = async () =>
      (await ask(ports.admin, '/stats?filter=^listener_manager.(total_listeners_draining|listener_stopped)$')).body
    const before = await drained()
    await eventually(async () =>
      expect(Number(/uptime_current_epoch": "(\d+)/.exec((await ask(ports.admin, '/server_info')).body)?.[1])).toBeGreaterThan(3),
    )
    expect(await drained()).toBe(before)
    expect(await keptConnection(ports.traffic)('/')).toBe(CLOSED)
    agent.signal()
    expect(await agent.exit).toBe(0)
  })

  test('after /drain waits for the last answers, and for nothing else', async () => {
    const { agent, ports, answerHeld, held } = await scene({ proxyConfig: { terminationDrainDuration: '300s' } })
    const slow = keptConnection(ports.traffic)('/held')
    await eventually(() => expect(held()).toBe(1))
    await ask(ports.status, '/drain', { method: 'POST' })
    agent.signal()
    let exited = false
    void agent.exit.then(() => (exited = true))
    await eventually(async () => expect(await keptConnection(ports.traffic)('/')).toBe(CLOSED))
    expect(exited).toBe(false)
    answerHeld()
    expect(await slow).toBe('200 at last, close')
    expect(await agent.exit).toBe(0)
  })

  test('a second signal ends it at once', async () => {
    const { agent } = await scene({ proxyConfig: { terminationDrainDuration: '300s' } })
    agent.signal()
    await eventually(() => expect(agent.output()).toContain('draining for 300 s'))
    agent.signal()
    expect(await agent.exit).toBe(0)
  })

  test('with EXIT_ON_ZERO_ACTIVE_CONNECTIONS ends when the last connection has gone, however long that takes', async () => {
    const { agent, ports, answerHeld, held } = await scene({
      env: { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: 'true', MINIMUM_DRAIN_DURATION: '50ms' },
      proxyConfig: { terminationDrainDuration: '0s' },
    })
    const slow = keptConnection(ports.traffic)('/held')
    await eventually(() => expect(held()).toBe(1))
    agent.signal()
    await eventually(() => expect(agent.output()).toContain('then until no connection is active'))
    await eventually(async () => expect(await keptConnection(ports.traffic)('/')).toBe(CLOSED))
    answerHeld()
    expect(await slow).toBe('200 at last, close')
    expect(await agent.exit).toBe(0)
  })
})
