/**
 * A connection through a SOCKS5 proxy (RFC 1928), with a user name and password when the address has them (RFC 1929). The proxy resolves
 * names, as Go's client has it do.
 */
import { connect, isIP, type Socket } from 'node:net'

const VERSION = 5
const NO_AUTHENTICATION = 0
const USERNAME_PASSWORD = 2
const CONNECT = 1
const IPV4 = 1
const DOMAIN = 3
const IPV6 = 4
const ANSWERS: Readonly<Record<number, string>> = {
  1: 'it failed',
  2: 'its rules do not allow it',
  3: 'the network is unreachable',
  4: 'the host is unreachable',
  5: 'the connection was refused',
  6: 'the time to live is over',
  7: 'it knows no CONNECT',
  8: 'it knows no such address',
}
const TIMEOUT_MS = 30_000

/** @throws Error saying what the proxy said */
export async function connectThroughSocks(proxy: URL, host: string, port: number): Promise<Socket> {
  const socket = connect({ host: proxy.hostname.replace(/^\[|\]$/g, ''), port: Number(proxy.port || 1080) })
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(Object.assign(new Error('the SOCKS proxy does not answer'), { code: 'ETIMEDOUT' })))
  try {
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    await handshake(socket, proxy, { host, port })
    socket.setTimeout(0)
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

async function handshake(socket: Socket, proxy: URL, target: { readonly host: string; readonly port: number }): Promise<void> {
  const [user, password] = [Buffer.from(decodeURIComponent(proxy.username)), Buffer.from(decodeURIComponent(proxy.password))]
  const methods = user.length > 0 ? [NO_AUTHENTICATION, USERNAME_PASSWORD] : [NO_AUTHENTICATION]
  socket.write(Buffer.from([VERSION, methods.length, ...methods]))
  const [, method] = await bytes(socket, 2)
  if (method === USERNAME_PASSWORD) {
    socket.write(Buffer.concat([Buffer.from([1, user.length]), user, Buffer.from([password.length]), password]))
    const [, verdict] = await bytes(socket, 2)
    if (verdict !== 0) throw new Error('the SOCKS proxy refuses the user name and password')
  } else if (method !== NO_AUTHENTICATION) throw new Error('the SOCKS proxy wants another proof than a user name and password')
  const port = Buffer.alloc(2)
  port.writeUInt16BE(target.port)
  socket.write(Buffer.concat([Buffer.from([VERSION, CONNECT, 0]), addressOf(target.host), port]))
  const [, answer = 1, , kind] = await bytes(socket, 4)
  if (answer !== 0)
    throw new Error(`the SOCKS proxy makes no connection to ${target.host}:${target.port}: ${ANSWERS[answer] ?? `answer ${answer}`}`)
  const length = kind === DOMAIN ? ((await bytes(socket, 1))[0] ?? 0) : kind === IPV6 ? 16 : 4
  await bytes(socket, length + 2)
}

function addressOf(host: string): Buffer {
  if (isIP(host) === 4) return Buffer.from([IPV4, ...host.split('.').map(Number)])
  if (isIP(host) === 6) return Buffer.from([IPV6, ...ipv6Bytes(host)])
  const name = Buffer.from(host)
  return Buffer.concat([Buffer.from([DOMAIN, name.length]), name])
}

/** @param address as a URL has it, which is without an IPv4 address in it */
function ipv6Bytes(address: string): number[] {
  const [before = [], after = []] = address.split('::').map((part) => part.split(':').filter((group) => group !== ''))
  const between = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return [...before, ...between, ...after].map((group) => Number.parseInt(group, 16)).flatMap((group) => [group >> 8, group & 255])
}

/** Exactly so many: what follows belongs to the connection. */
function bytes(socket: Socket, count: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      socket.off('readable', look).off('error', failed).off('close', ended)
      settle()
    }
    const look = () => {
      const chunk: unknown = socket.read(count)
      if (Buffer.isBuffer(chunk) && chunk.length === count) done(() => resolve(chunk))
    }
    const failed = (error: Error) => done(() => reject(error))
    const ended = () => done(() => reject(new Error('the SOCKS proxy has closed the connection')))
    socket.on('readable', look).on('error', failed).on('close', ended)
    look()
  })
}
