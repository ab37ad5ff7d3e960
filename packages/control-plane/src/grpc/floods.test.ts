/**
 * Callers who prove nothing, by the hundred: each of their connections ends by itself, the process stays small and comes to rest, and a
 * proxy that has proven who it is goes on being served meanwhile, as does one that comes new.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { RESOURCE_TYPES } from '@lateen/api'
import { TYPE_URL } from '@lateen/envoy'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ADS_PATH,
  type Attacker,
  attack,
  END_HEADERS,
  END_STREAM,
  type FloodTarget,
  frame,
  INDEXED,
  literal,
  remembered,
  request,
  type Stage,
} from '../../testdata/http2-flood.ts'
import { startTestCluster, type TestCluster } from '../../testdata/test-cluster.ts'
import { type Caller, openStream, type TestStream } from '../../testdata/test-proxy.ts'

const PROOF_MS = 2_500
const MIB = 1 << 20
/** What a flood may add to the process's memory at its height; a few hundred connections with their handshakes are some tens of MiB. */
const GROWTH_BYTES = 64 * MIB
const PORTS = ['grpc', 'secureGrpc'] as const

let cluster: TestCluster
let plane: ChildProcess
let ports: Record<(typeof PORTS)[number] | 'monitoring', number>
let proxy: Caller
let stream: TestStream
let changes = 0

beforeAll(async () => {
  cluster = await startTestCluster()
  await cluster.createNamespace('shop')
  const flags = ['grpcAddr', 'secureGRPCAddr', 'httpAddr', 'httpsAddr', 'monitoringAddr'].map((flag) => `--${flag}=127.0.0.1:0`)
  plane = spawn(
    process.execPath,
    [`${import.meta.dirname}/../../testdata/control-plane-process.ts`, `--kubeconfig=${cluster.kubeconfig}`, '--ctrlz_port=0', ...flags],
    {
      env: {
        ...process.env,
        LATEEN_PROOF_TIMEOUT: `${PROOF_MS}ms`,
        LATEEN_MAX_UNPROVEN_CONNECTIONS: '300',
        LATEEN_MAX_UNPROVEN_CONNECTIONS_PER_ADDRESS: '100',
      },
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  if (!plane.stdout) throw new Error('the control plane has no output')
  for await (const line of createInterface(plane.stdout)) {
    ports = JSON.parse(line)
    break
  }
  const roots = await cluster.until(RESOURCE_TYPES.ConfigMap, 'shop', 'istio-ca-root-cert', () => true)
  const token = await cluster.token('shop', 'cart')
  proxy = { port: ports.secureGrpc, roots: String(Reflect.get(Object(roots['data']), 'root-cert.pem')), token }
  stream = open(proxy)
  await served(stream)
}, 60_000)

afterAll(async () => {
  stream?.close()
  plane?.kill()
  await cluster?.close()
}, 30_000)

const open = (caller: Caller): TestStream =>
  openStream(caller, { id: 'sidecar~10.0.0.9~cart-1.shop~shop.svc.cluster.local', namespace: 'shop', serviceAccount: 'cart' })

/** Subscribes anew, for a stream that gets its first answer. */
async function served(to: TestStream): Promise<void> {
  to.subscribe(TYPE_URL.CDS)
  to.ack(await to.next(TYPE_URL.CDS))
}

/** A change of the mesh that the proxy is told of. */
async function pushed(to: TestStream): Promise<void> {
  changes += 1
  await cluster.client.create(RESOURCE_TYPES.Service, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `change-${changes}`, namespace: 'shop' },
    spec: { ports: [{ name: 'http', port: 80 }] },
  })
  for (;;) {
    const response = await to.next(TYPE_URL.CDS)
    to.ack(response)
    if (response.resources.some(({ name }) => name.includes(`change-${changes}.shop`))) return
  }
}

const status = (field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${plane.pid}/status`, 'utf8'))?.[1]) * 1024

/** Seconds of CPU that the process has used; the kernel counts in hundredths. */
function cpuSeconds(): number {
  const fields = readFileSync(`/proc/${plane.pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

interface Flood {
  readonly name: string
  readonly stage: Stage
  readonly connections: number
  /** Tried on the port in plain text as well, which differs in how it comes by its connections alone. */
  readonly plainToo?: boolean
  /** What one connection sends; nothing when it only waits. */
  readonly send?: (attacker: Attacker) => Promise<void>
}

const repeat = (count: number, make: (i: number) => Buffer): Buffer[] => Array.from({ length: count }, (_, i) => make(i))
const id = (i: number) => i * 2 + 1
const CANCEL = Buffer.from([0, 0, 0, 8])
const BLOCK = 64
/** Many small frames in few writes. */
const inBlocks = (frames: readonly Buffer[]): Buffer[] =>
  Array.from({ length: Math.ceil(frames.length / BLOCK) }, (_, i) => Buffer.concat(frames.slice(i * BLOCK, (i + 1) * BLOCK)))

const FLOODS: readonly Flood[] = [
  { name: 'connections that say nothing', stage: 'TCP', connections: 600, plainToo: true },
  { name: 'connections that say nothing once they are encrypted', stage: 'TLS', connections: 200 },
  { name: 'connections without a call', stage: 'HTTP/2', connections: 200 },
  {
    name: 'calls without a message',
    stage: 'HTTP/2',
    connections: 100,
    send: (attacker) => attacker.write(frame('headers', 1, request(), END_HEADERS)),
  },
  {
    name: 'many calls at once, each with a message that does not end',
    stage: 'HTTP/2',
    connections: 50,
    send: async (attacker) => {
      const calls = repeat(30, (i) => frame('headers', id(i), request(), END_HEADERS))
      const heads = repeat(30, (i) => frame('data', id(i), Buffer.from([0, 0, 60, 0, 0])))
      await attacker.write(...calls, ...heads, ...repeat(30 * 4, (i) => frame('data', id(i % 30), Buffer.alloc(16_000))))
    },
  },
  {
    name: 'more calls than there may be, of a method that is not there',
    stage: 'HTTP/2',
    connections: 20,
    plainToo: true,
    send: (attacker) =>
      attacker.write(...inBlocks(repeat(20_000, (i) => frame('headers', id(i), request('/no/method'), END_HEADERS | END_STREAM)))),
  },
  {
    name: 'calls that are reset as soon as they are made',
    stage: 'HTTP/2',
    connections: 20,
    send: (attacker) =>
      attacker.write(
        ...inBlocks(repeat(20_000, (i) => Buffer.concat([frame('headers', id(i), request(), END_HEADERS), frame('reset', id(i), CANCEL)]))),
      ),
  },
  {
    name: 'headers that go on and on',
    stage: 'HTTP/2',
    connections: 20,
    plainToo: true,
    send: (attacker) =>
      attacker.write(
        frame('headers', 1, request()),
        ...inBlocks(repeat(5_000, (i) => frame('continuation', 1, literal(`x-${i}`, 'y'.repeat(1_000))))),
      ),
  },
  {
    name: 'settings and pings without end',
    stage: 'HTTP/2',
    connections: 20,
    send: (attacker) =>
      attacker.write(...inBlocks(repeat(40_000, (i) => (i % 2 === 0 ? frame('settings', 0) : frame('ping', 0, Buffer.alloc(8)))))),
  },
  {
    name: 'small requests that unpack to large headers',
    stage: 'HTTP/2',
    connections: 20,
    send: (attacker) =>
      attacker.write(
        frame('headers', 1, Buffer.concat([request(ADS_PATH), remembered('x-large', 'y'.repeat(3_900))]), END_HEADERS),
        ...repeat(200, (i) => frame('headers', id(i + 1), Buffer.concat([request(), ...repeat(4_000, () => INDEXED)]), END_HEADERS)),
      ),
  },
]

describe.each(PORTS)('port %s', (name) => {
  const cases = FLOODS.filter(({ plainToo }) => name === 'secureGrpc' || plainToo)

  test.each(cases)(
    '$name: they end, and others are served meanwhile',
    async ({ stage, connections, send }) => {
      const target = (i: number): FloodTarget => ({ port: ports[name], tls: name === 'secureGrpc', from: `127.0.1.${1 + (i % 6)}` })
      const before = status('VmRSS')
      // The kernel notes the peak anew.
      writeFileSync(`/proc/${plane.pid}/clear_refs`, '5')
      const attackers = await Promise.all(Array.from({ length: connections }, (_, i) => attack(target(i), stage)))
      const sent = Promise.all(attackers.map((attacker) => send?.(attacker)))

      await pushed(stream)
      const newcomer = open(proxy)
      await served(newcomer)
      newcomer.close()
      await Promise.all(attackers.map(({ ended }) => ended))
      await sent

      expect(status('VmHWM') - before).toBeLessThan(GROWTH_BYTES)
      // Each flood is over when its connections are: it leaves no work behind.
      const spent = cpuSeconds()
      await pushed(stream)
      expect(cpuSeconds() - spent).toBeLessThan(2)
      expect(plane.exitCode).toBeNull()
    },
    30_000,
  )
})
