import { afterEach, describe, expect, test } from 'vitest'
import { ask, ENVOY, eventually, makeAgentFolder, type RunningAgent, runAgent } from '../testdata/agent-harness.ts'
import { type ControlPlane, startControlPlane } from '../testdata/control-plane.ts'
import { tlsListener } from '../testdata/traffic.ts'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function controlPlane(): Promise<ControlPlane> {
  const plane = await startControlPlane()
  cleanups.push(() => plane.close())
  plane.set(ClusterSchema, [])
  return plane
}

function started(agent: RunningAgent): RunningAgent {
  cleanups.push(async () => {
    agent.signal()
    await agent.exit
  })
  return agent
}

describe.skipIf(!ENVOY)('an agent with Envoy', () => {
  test('becomes ready', async () => {
    const plane = await controlPlane()
    const folder = await makeAgentFolder(plane.rootPem)
    cleanups.push(folder.remove)
    plane.set(ListenerSchema, [{ name: 'inbound', message: tlsListener(folder.ports.traffic) }])
    const agent = started(runAgent(folder, plane))
    try {
      await eventually(async () => expect(await ask(folder.ports.envoyStatus, '/healthz/ready')).toEqual({ status: 200, body: '' }))
    } finally {
      console.log(agent.output())
      console.log(plane.calls, plane.streams, plane.nacks)
    }
    console.log((await ask(folder.ports.status, '/stats/prometheus')).body)
  })
})
