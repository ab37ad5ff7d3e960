/**
 * A pod's network in miniature, run inside a fresh network namespace: an address, a peer in a namespace of its own, servers that say
 * who they are, and clients of any user. Sets capture up by the given flags and prints who answered whom, as JSON.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { runCapture } from '../src/capture/run.ts'

interface Call {
  readonly from: 'pod' | 'peer'
  readonly to: string
  readonly port: number
  readonly uid?: number
  readonly gid?: number
  readonly mark?: number
  readonly source?: string
  readonly udp?: boolean
}

interface Lab {
  /** The inbound server accepts connections for any address, as TPROXY needs. */
  readonly transparent?: boolean
  readonly env?: Record<string, string>
  readonly steps: readonly ({ readonly capture: readonly string[] } | { readonly call: Call } | { readonly listing: true })[]
}

const SERVER = `
import socket, sys, threading
name, ports = sys.argv[1], [int(p) for p in sys.argv[2:]]
def serve(s):
    while True:
        c, _ = s.accept(); c.sendall(name.encode()); c.close()
for p in ports:
    s = socket.create_server(('::', p), family=socket.AF_INET6, dualstack_ipv6=True); threading.Thread(target=serve, args=(s,), daemon=True).start()
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0); u.bind(('::', 53))
print('ready', flush=True)
while True:
    _, a = u.recvfrom(512); u.sendto(name.encode(), a)
`

const TRANSPARENT = `
import socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.setsockopt(socket.SOL_IP, 19, 1)
s.bind(('0.0.0.0', 15006)); s.listen(); print('ready', flush=True)
while True:
    c, _ = s.accept(); c.sendall(('inbound for %s:%d' % c.getsockname()).encode()); c.close()
`

/** Bound to the address that redirected queries arrive at: an answer from any other would not be recognised as one. */
const AGENT = `
import socket
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 15053))
print('ready', flush=True)
while True:
    _, a = u.recvfrom(512); u.sendto(b'agent', a)
`

const CLIENT = `
import socket, sys
to, port, mark, source, udp = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5] == 'udp'
s = socket.socket(socket.AF_INET6 if ':' in to else socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
s.settimeout(3)
if mark: s.setsockopt(socket.SOL_SOCKET, 36, mark)
if source: s.bind((source.split('|')[0], int((source + '|0').split('|')[1])))
try:
    s.connect((to, port))
    if udp: s.send(b'?')
    print(s.recv(64).decode(), end='')
except OSError as e: print('refused' if e.errno == 111 else 'timeout', end='')
`

const lab: Lab = JSON.parse(process.argv[2] ?? '')
const run = (program: string, ...args: string[]) => {
  const result = spawnSync(program, args, { encoding: 'utf8' })
  if (result.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${result.stderr}`)
  return result.stdout
}

const peer = spawn('unshare', ['--net', 'sleep', '60'], { stdio: 'ignore' })
const enterPeer = ['nsenter', `--net=/proc/${peer.pid}/ns/net`]
await untilOwnNamespace(String(peer.pid))
run('ip', 'link', 'add', 'pod0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(peer.pid))
addresses([], 'pod0', '1')
addresses(enterPeer, 'eth0', '2')

const server = spawn('nsenter', [...enterPeer.slice(1), 'python3', '-c', SERVER, 'remote', '80', '9999', '15012'], { stdio: ['ignore', 'pipe', 'inherit'] })
await once(server.stdout, 'data')
const named: [string, number][] = [['outbound', 15001], ['inbound', 15006], ['app', 8080], ['app', 8081], ['direct', 15008], ['direct', 15020], ['direct', 15021], ['direct', 15090]]
const inbound = lab.transparent ? spawn('python3', ['-c', TRANSPARENT], { stdio: ['ignore', 'pipe', 'inherit'] }) : undefined
if (inbound) await once(inbound.stdout, 'data')
for (const [name, port] of named.filter(([, port]) => !lab.transparent || port !== 15006))
  await once(createServer((socket) => socket.end(name)).listen(port, '::'), 'listening')
// The agent is the proxy's user where that exists: its answers are tracked by owner.
const mapped = !/^\s*0\s+[1-9]/.test(readFileSync('/proc/self/uid_map', 'utf8'))
const agent = spawn('python3', ['-c', AGENT], { stdio: ['ignore', 'pipe', 'inherit'], ...(mapped ? { uid: 1337, gid: 1337 } : {}) })
await once(agent.stdout, 'data')

const results: unknown[] = []
const env = { ...process.env, ...lab.env }
for (const step of lab.steps) {
  if ('capture' in step) {
    const log: string[] = []
    const out: string[] = []
    const code = await runCapture(step.capture, env, { out: (line) => out.push(line), log: (line) => log.push(line) })
    results.push({ code, log, out })
  } else if ('listing' in step) results.push(run('iptables-save'))
  else results.push(await answer(step.call))
}
process.stdout.write(JSON.stringify(results))
server.kill()
agent.kill()
inbound?.kill()
peer.kill()
process.exit(0)

function addresses(enter: readonly string[], device: string, host: string): void {
  const commands = [
    ['link', 'set', 'lo', 'up'],
    ['link', 'set', device, 'up'],
    ['addr', 'add', `10.9.0.${host}/24`, 'dev', device],
    ['-6', 'addr', 'add', `fd09::${host}/64`, 'dev', device, 'nodad'],
  ]
  for (const args of commands) {
    const [program = 'ip', ...rest] = [...enter, 'ip', ...args]
    run(program, ...rest)
  }
}

/** Who answered; the client is another process, so that this one can serve meanwhile. */
async function answer(call: Call): Promise<string> {
  const args = ['-c', CLIENT, call.to, String(call.port), String(call.mark ?? 0), call.source ?? '', call.udp ? 'udp' : 'tcp']
  const [program = 'python3', ...rest] = call.from === 'peer' ? [...enterPeer, 'python3', ...args] : ['python3', ...args]
  const client = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'], ...(call.uid === undefined ? {} : { uid: call.uid }), ...(call.gid === undefined ? {} : { gid: call.gid }) })
  let text = ''
  client.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  await once(client, 'close')
  return text
}

/** The child has its namespace only once `unshare` has run. */
async function untilOwnNamespace(pid: string): Promise<void> {
  const own = run('readlink', '/proc/self/ns/net')
  while (run('readlink', `/proc/${pid}/ns/net`) === own) await new Promise((resolve) => setImmediate(resolve))
}
