import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeTrust, TRUST_NAME, TRUST_TYPE } from '@lateen/ca'
import { ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { afterEach, describe, expect, test } from 'vitest'
import { type AgentFolder, ask, ENVOY, eventually, makeAgentFolder, runAgent } from '../../testdata/agent-harness.ts'
import { type ControlPlane, newAuthority, startControlPlane } from '../../testdata/control-plane.ts'
import { connectToMesh, type MeshClient } from '../../testdata/mesh-client.ts'
import { tlsListener } from '../../testdata/traffic.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function openPlane(): Promise<ControlPlane> {
  const plane = await startControlPlane()
  cleanups.push(() => plane.close())
  plane.set(ClusterSchema, [])
  return plane
}

async function startProxy(plane: ControlPlane, env: Readonly<Record<string, string>> = {}): Promise<AgentFolder> {
  const folder = await makeAgentFolder(plane.rootPem, {})
  cleanups.push(folder.remove)
  plane.set(ListenerSchema, [{ name: 'inbound', message: tlsListener(folder.ports.traffic) }])
  const agent = runAgent(folder, plane, { env })
  cleanups.push(() => {
    agent.signal()
    return agent.exit
  })
  await eventually(async () => expect(await ask(folder.ports.envoyStatus, '/healthz/ready')).toEqual({ status: 200, body: '' }))
  return folder
}

/** `200 hello` for a client that is let in. */
async function call(plane: Pick<ControlPlane, 'ca' | 'rootPem'>, folder: AgentFolder, client: MeshClient = {}): Promise<string> {
  const connection = await connectToMesh(plane, folder.ports.traffic, client)
  try {
    return await connection.get('/')
  } finally {
    connection.close()
  }
}

const roots = (rootsPem: string, domains: Readonly<Record<string, string>> = {}) => encodeTrust({ rootsPem, domains, crlPem: '' })
const acked = (plane: ControlPlane, typeUrl: string, times: number) =>
  eventually(() => expect(plane.acks.filter((url) => url === typeUrl)).toHaveLength(times))

describe.skipIf(!ENVOY)('what the control plane says of trust', () => {
  test('roots are acknowledged once Envoy goes by them, and those that are taken away are trusted no more', async () => {
    const plane = await openPlane()
    const other = newAuthority()
    plane.setBytes(TRUST_TYPE.roots, TRUST_NAME, roots(plane.rootPem))
    const folder = await startProxy(plane)
    await acked(plane, TRUST_TYPE.roots, 1)
    await expect(call(plane, folder, { signedBy: other })).rejects.toThrow()
    plane.setBytes(TRUST_TYPE.roots, TRUST_NAME, roots(plane.rootPem + other.rootsPem))
    await acked(plane, TRUST_TYPE.roots, 2)
    expect(await call(plane, folder, { signedBy: other })).toBe('200 hello')
    plane.setBytes(TRUST_TYPE.roots, TRUST_NAME, roots(other.rootsPem))
    await acked(plane, TRUST_TYPE.roots, 3)
    await expect(call(plane, folder)).rejects.toThrow()
    expect(plane.nacks).toEqual([])
  })

  test('roots that cannot be read are refused, and what was trusted before stays', async () => {
    const plane = await openPlane()
    plane.setBytes(TRUST_TYPE.roots, TRUST_NAME, roots(plane.rootPem))
    const folder = await startProxy(plane)
    await acked(plane, TRUST_TYPE.roots, 1)
    plane.setBytes(TRUST_TYPE.roots, TRUST_NAME, roots('no certificate'))
    await eventually(() => expect(plane.nacks).toEqual([expect.stringContaining('holds no certificate')]))
    expect(await call(plane, folder)).toBe('200 hello')
  })

  test('another issuer is acknowledged once a certificate of it is in use', async () => {
    const plane = await openPlane()
    const folder = await startProxy(plane)
    plane.setBytes(TRUST_TYPE.issuer, TRUST_NAME, encodeTrust({ rootPem: plane.rootPem, spreadMs: 0 }))
    await acked(plane, TRUST_TYPE.issuer, 1)
    expect(plane.calls).toHaveLength(1)
    plane.setBytes(TRUST_TYPE.issuer, TRUST_NAME, encodeTrust({ rootPem: newAuthority().rootsPem, spreadMs: 0 }))
    // The CA of this test never signs under it: asked again a few times, and then said so.
    await eventually(() => expect(plane.nacks).toEqual([expect.stringContaining('goes on issuing under another root')]), 30_000)
    expect(plane.calls.length).toBeGreaterThan(3)
    expect(await call(plane, folder)).toBe('200 hello')
  }, 40_000)

  test('a root of another trust domain vouches for identities of that domain and for no others', async () => {
    const plane = await openPlane()
    const partner = newAuthority()
    plane.setBytes(TRUST_TYPE.roots, TRUST_NAME, roots(plane.rootPem, { 'partner.example': partner.rootsPem }))
    const folder = await startProxy(plane)
    await acked(plane, TRUST_TYPE.roots, 1)
    expect(await call(plane, folder)).toBe('200 hello')
    expect(await call(plane, folder, { signedBy: partner, identity: 'spiffe://partner.example/ns/a/sa/b' })).toBe('200 hello')
    await expect(call(plane, folder, { signedBy: partner, identity: 'spiffe://cluster.local/ns/shop/sa/admin' })).rejects.toThrow()
    await expect(call(plane, folder, { identity: 'spiffe://partner.example/ns/a/sa/b' })).rejects.toThrow()
    await expect(call(plane, folder, { signedBy: partner, identity: 'spiffe://other.example/ns/a/sa/b' })).rejects.toThrow()
  })

  test('the CA may be another server, with roots of its own, whatever the control plane says of issuers', async () => {
    const [plane, ca] = [await openPlane(), await startControlPlane()]
    cleanups.push(() => ca.close())
    plane.setBytes(TRUST_TYPE.issuer, TRUST_NAME, encodeTrust({ rootPem: plane.rootPem, spreadMs: 0 }))
    const folder = await makeAgentFolder(plane.rootPem, {})
    cleanups.push(folder.remove)
    const rootFile = join(folder.path, 'ca-root.pem')
    await writeFile(rootFile, ca.rootPem)
    plane.set(ListenerSchema, [{ name: 'inbound', message: tlsListener(folder.ports.traffic) }])
    const agent = runAgent(folder, plane, {
      env: { CA_ADDR: `127.0.0.1:${ca.port}`, CA_ROOT_CA: rootFile, ISTIO_META_CERT_SIGNER: 'team-a' },
    })
    cleanups.push(() => {
      agent.signal()
      return agent.exit
    })
    await eventually(async () => expect(await ask(folder.ports.envoyStatus, '/healthz/ready')).toEqual({ status: 200, body: '' }))
    expect(ca.calls).toMatchObject([{ token: 'Bearer token-1', metadata: { CertSigner: 'team-a' } }])
    expect(plane.calls).toEqual([])
    await acked(plane, TRUST_TYPE.issuer, 1)
    expect(await call(ca, folder)).toBe('200 hello')
    await expect(call(plane, folder, { signedBy: plane.ca })).rejects.toThrow()
  })
})
