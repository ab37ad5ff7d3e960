/** Ways to an API server, as kubeconfigs and the environment say them: names in certificates, proxies, identities. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type Server } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, connect, createServer as createTcp, type Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { TLSSocket } from 'node:tls'
import { type ApiServer, startApiServer } from '@lateen/apiserver'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createKubeClient } from './client.ts'
import type { Connection } from './connection.ts'
import { execInPod } from './exec.ts'
import { connectionFromText, loadConnection } from './kubeconfig.ts'
import { openPortForward } from './port-forward.ts'

interface Seen {
  readonly headers: Readonly<Record<string, string>>
  readonly serverName: string
  readonly hasCertificate: boolean
}

const folder = mkdtempSync(join(tmpdir(), 'agent-'))
const closing: { close(): unknown }[] = []
let api: ApiServer
/** Says what it has seen of the caller. */
let mirror: Server
const pki = { ca: '', cert: '', key: '' }

beforeAll(async () => {
  api = await startApiServer({
    dataDir: folder,
    listen: [{ host: '127.0.0.1', port: 0 }],
    serviceCidr: '10.96.0.0/16',
    nodePortRange: '30000-32767',
    extraSans: [],
    crds: [],
    pods: {
      logs: () => Promise.reject(new Error('no logs here')),
      attach: () => Promise.reject(new Error('no attach here')),
      exec: async (_namespace, _pod, _container, command, { stdout }) => {
        stdout?.write(command.join(' '))
        return { exitCode: 0 }
      },
      portForward: async () => connect((echo.address() as AddressInfo).port, '127.0.0.1'),
    },
    resolveService: () => Promise.reject(new Error('no Services are reachable in this test')),
  })
  const read = (name: string) => readFileSync(join(folder, 'pki', name), 'utf8')
  Object.assign(pki, { ca: api.caPem, cert: read('server.crt'), key: read('server.key') })
  mirror = createHttps({ cert: pki.cert, key: pki.key, requestCert: true, rejectUnauthorized: false }, ({ headers, socket }, response) => {
    const tls = socket instanceof TLSSocket ? socket : undefined
    const seen = { headers, serverName: tls?.servername || '', hasCertificate: Object.keys(tls?.getPeerCertificate() ?? {}).length > 0 }
    response.end(JSON.stringify(seen))
  })
  await listening(mirror)
  await listening(echo)
  const client = createKubeClient(connectionTo(api.addresses[0]))
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default' },
    spec: { nodeName: 'here', containers: [{ name: 'web', image: 'web' }] },
  }
  await client.request('POST', '/api/v1/namespaces/default/pods', pod)
  client.close()
}, 60_000)

afterAll(async () => {
  mirror.closeAllConnections()
  for (const server of [mirror, echo, ...closing]) server.close()
  await api.close()
  rmSync(folder, { recursive: true, force: true })
}, 30_000)

const echo = createTcp((socket) => socket.pipe(socket))

async function listening(server: TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return portOf(server.address())
}

const portOf = (address: unknown): number => (typeof address === 'object' && address && 'port' in address ? Number(address.port) : 0)

interface Said {
  readonly cluster?: Readonly<Record<string, unknown>>
  readonly user?: Readonly<Record<string, unknown>>
}

const kubeconfig = (port: number, { cluster = {}, user = {} }: Said = {}): string =>
  JSON.stringify({
    'current-context': 'x',
    clusters: [{ name: 'x', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': base64(pki.ca), ...cluster } }],
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
    users: [{ name: 'x', user: { token: api.adminToken, ...user } }],
  })
const base64 = (text: string) => Buffer.from(text).toString('base64')
const connectionTo = (address: unknown, said?: Said): Connection => connectionFromText(kubeconfig(portOf(address), said))

async function look(connection: Connection): Promise<Seen> {
  const client = createKubeClient(connection)
  try {
    return await client.request<Seen>('GET', '/seen')
  } finally {
    client.close()
  }
}
const seenBy = (said?: Said) => look(connectionTo(mirror.address(), said))

describe('who the server is', () => {
  test('its certificate must have the name that is asked for, or tls-server-name', async () => {
    expect((await seenBy({ cluster: { 'tls-server-name': 'kubernetes.default.svc' } })).serverName).toBe('kubernetes.default.svc')
    await expect(seenBy({ cluster: { 'tls-server-name': 'elsewhere.example' } })).rejects.toThrow('elsewhere.example')
  })

  test('insecure-skip-tls-verify takes any certificate, and cannot be given with a certificate authority', async () => {
    const unknown = { 'certificate-authority-data': undefined }
    await expect(seenBy({ cluster: unknown })).rejects.toThrow('certificate')
    const insecure = { 'insecure-skip-tls-verify': true, 'tls-server-name': 'elsewhere.example' }
    expect((await seenBy({ cluster: { ...unknown, ...insecure } })).serverName).toBe('elsewhere.example')
    expect(() => connectionTo(mirror.address(), { cluster: insecure })).toThrow('exclude each other')
  })
})

describe('who the caller is', () => {
  test('a client certificate is shown, from data and from files', async () => {
    expect((await seenBy()).hasCertificate).toBe(false)
    const data = { 'client-certificate-data': base64(pki.cert), 'client-key-data': base64(pki.key) }
    expect((await seenBy({ user: data })).hasCertificate).toBe(true)
    for (const name of ['cert', 'key'] as const) writeFileSync(join(folder, name), pki[name])
    expect((await seenBy({ user: { 'client-certificate': join(folder, 'cert'), 'client-key': join(folder, 'key') } })).hasCertificate).toBe(
      true,
    )
    expect(() => connectionTo(mirror.address(), { user: { 'client-certificate-data': base64(pki.cert) } })).toThrow('given together')
  })

  test('a certificate of a plugin is shown', async () => {
    const status = JSON.stringify({ status: { clientCertificateData: pki.cert, clientKeyData: pki.key } })
    writeFileSync(join(folder, 'status.json'), status)
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'cat', args: [join(folder, 'status.json')] }
    const seen = await seenBy({ user: { token: undefined, exec } })
    expect(seen.hasCertificate).toBe(true)
    expect(seen.headers['authorization']).toBeUndefined()
  })

  test('name and password, and a token file, go into the header', async () => {
    expect((await seenBy({ user: { token: undefined, username: 'u', password: 'p' } })).headers['authorization']).toBe(
      `Basic ${base64('u:p')}`,
    )
    writeFileSync(join(folder, 'token'), 'from-file\n')
    expect((await seenBy({ user: { token: undefined, tokenFile: join(folder, 'token') } })).headers['authorization']).toBe(
      'Bearer from-file',
    )
  })

  test('impersonation of the kubeconfig, which the command line overrules', async () => {
    const user = { as: 'jane', 'as-uid': '7', 'as-groups': ['dev', 'ops'], 'as-user-extra': { 'acme.example/Scope': ['a', 'b'] } }
    const headers = {
      'impersonate-user': 'jane',
      'impersonate-uid': '7',
      'impersonate-group': 'dev, ops',
      'impersonate-extra-acme.example%2fscope': 'a, b',
    }
    expect((await seenBy({ user })).headers).toMatchObject(headers)
    const path = join(folder, 'kubeconfig')
    writeFileSync(path, kubeconfig(portOf(mirror.address()), { user }))
    const other = await look(loadConnection({ path, env: {}, impersonate: { user: 'root', groups: [] } }))
    expect(other.headers['impersonate-user']).toBe('root')
    expect(other.headers['impersonate-group']).toBeUndefined()
    expect(() => connectionTo(mirror.address(), { user: { 'as-groups': ['dev'] } })).toThrow('need a user: as')
  })

  test('the server acts as it is asked to', async () => {
    const client = createKubeClient(connectionTo(api.addresses[0], { user: { as: 'nobody', 'as-groups': ['system:authenticated'] } }))
    await expect(client.request('GET', '/api/v1/secrets')).rejects.toThrow('User "nobody" cannot list resource "secrets"')
    client.close()
  })
})

/** A proxy of each kind; it counts the connections that it makes. */
interface Proxy {
  readonly port: number
  readonly targets: string[]
}

async function httpProxy(): Promise<Proxy> {
  const targets: string[] = []
  const server = createHttp().on('connect', ({ url = '', headers }, socket) => {
    targets.push(`${url} ${headers['proxy-authorization'] ?? ''}`.trim())
    const onward = connect(Number(url.split(':').at(-1)), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      onward.pipe(socket).pipe(onward)
    })
    onward.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'))
    socket.on('error', () => onward.destroy())
  })
  closing.push(server)
  return { port: await listening(server), targets }
}

/** Wants `u` and `p` where names are offered; port 1 is refused. */
async function socksProxy(): Promise<Proxy> {
  const targets: string[] = []
  const server = createTcp((socket) => {
    socket.on('error', () => socket.destroy())
    let step = 0
    socket.on('data', function take(data: Buffer) {
      if (step++ === 0) {
        const wantsName = data.includes(2, 2)
        socket.write(Buffer.from([5, wantsName ? 2 : 0]))
        if (!wantsName) step++
      } else if (step === 2) socket.write(Buffer.from([1, data.equals(Buffer.from([1, 1, 0x75, 1, 0x70])) ? 0 : 1]))
      else {
        const name = data[3] === 3 ? data.subarray(5, -2).toString() : [...data.subarray(4, -2)].join('.')
        const port = data.readUInt16BE(data.length - 2)
        targets.push(`${name}:${port}`)
        if (port === 1) return void socket.end(Buffer.from([5, 5, 0, 1, 0, 0, 0, 0, 0, 0]))
        socket.off('data', take)
        const onward = connect(port, '127.0.0.1', () => {
          socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
          onward.pipe(socket).pipe(onward)
        })
        onward.on('error', () => socket.destroy())
      }
    })
  })
  closing.push(server)
  return { port: await listening(server), targets }
}

describe('through a proxy', () => {
  test.each([
    ['http', httpProxy, ''],
    ['socks5', socksProxy, ''],
    ['socks5', socksProxy, 'u:p@'],
  ] as const)('%s: requests, commands and ports of pods', async (scheme, start, who) => {
    const proxy = await start()
    const connection = connectionTo(api.addresses[0], {
      cluster: {
        server: `https://kubernetes.default.svc:${portOf(api.addresses[0])}`,
        'proxy-url': `${scheme}://${who}127.0.0.1:${proxy.port}`,
      },
    })
    const client = createKubeClient(connection)
    expect(await client.request('GET', '/version')).toMatchObject({ major: '1' })
    client.close()
    const pod = { namespace: 'default', pod: 'web' }
    expect((await execInPod(connection, { ...pod, container: 'web', command: ['echo', 'hello'] })).stdout.toString()).toBe('echo hello')
    const ports = await openPortForward(connection, pod)
    const { stream } = await ports.connect(80)
    stream.write('ping')
    expect(String(await new Promise((resolve) => stream.once('data', resolve)))).toBe('ping')
    ports.close()
    const target = `kubernetes.default.svc:${portOf(api.addresses[0])}`
    expect(proxy.targets).toEqual([target, target, target])
  })

  test('the password of a proxy is sent to it, and is in no message', async () => {
    const proxy = await httpProxy()
    const client = createKubeClient(
      connectionTo(api.addresses[0], {
        cluster: { 'proxy-url': `http://me:sesame@127.0.0.1:${proxy.port}`, server: 'https://nowhere.example:1' },
      }),
    )
    const refused = await client.request('GET', '/version').catch(String)
    client.close()
    expect(refused).toContain('502')
    expect(refused).not.toContain('sesame')
    expect(proxy.targets).toEqual([`nowhere.example:1 Basic ${base64('me:sesame')}`])
    expect(() => connectionTo(api.addresses[0], { cluster: { 'proxy-url': 'ftp://me:sesame@proxy' } })).toThrow(
      /cluster "x": proxy-url begins with ftp:\/\/; proxies are reached by http:\/\/, https:\/\/, socks5:\/\//,
    )
    expect(() => connectionTo(api.addresses[0], { cluster: { 'proxy-url': 'proxy:sesame' } })).toThrow('proxy-url')
  })

  test('one that says nothing is not waited for longer than a server', async () => {
    const silent = createTcp(() => undefined)
    closing.push(silent)
    const port = await listening(silent)
    for (const scheme of ['http', 'socks5']) {
      const connection = connectionTo(api.addresses[0], {
        cluster: { 'proxy-url': `${scheme}://127.0.0.1:${port}`, server: 'https://api.example' },
      })
      const client = createKubeClient(connection, { timeoutMs: 300 })
      await expect(client.request('GET', '/version')).rejects.toThrow('no connection through the proxy within 300 ms')
      client.close()
      const pod = { namespace: 'default', pod: 'web', timeoutMs: 300 }
      await expect(openPortForward(connection, pod)).rejects.toThrow('no answer to portforward within 300 ms')
      await expect(execInPod(connection, { ...pod, container: 'web', command: ['x'] })).rejects.toThrow('no answer to exec within 300 ms')
    }
  })

  test('what a SOCKS proxy says is told', async () => {
    const { port } = await socksProxy()
    const to = (who: string) =>
      look(connectionTo(api.addresses[0], { cluster: { server: 'https://127.0.0.1:1', 'proxy-url': `socks5://${who}127.0.0.1:${port}` } }))
    await expect(to('')).rejects.toThrow('the SOCKS proxy makes no connection to 127.0.0.1:1: the connection was refused')
    await expect(to('u:wrong@')).rejects.toThrow('refuses the user name and password')
  })

  test('an IPv6 address is given to a SOCKS proxy as an address', async () => {
    const { port, targets } = await socksProxy()
    const cluster = { server: 'https://[fd00:1::ab:7]:1', 'proxy-url': `socks5://127.0.0.1:${port}` }
    await expect(look(connectionTo(api.addresses[0], { cluster }))).rejects.toThrow('the connection was refused')
    expect(targets).toEqual(['253.0.0.1.0.0.0.0.0.0.0.0.0.171.0.7:1'])
  })
})

test('what a command says together with the handshake is not lost', async () => {
  const frame = (channel: number, text: string) => Buffer.from([0x82, text.length + 1, channel, ...Buffer.from(text)])
  const server = createHttp().on('upgrade', ({ headers }, socket) => {
    const accept = createHash('sha1').update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    const answer = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n`
    socket.end(Buffer.concat([Buffer.from(answer), frame(1, 'early'), frame(3, '{"status":"Success"}'), Buffer.from([0x88, 0])]))
  })
  closing.push(server)
  const connection = connectionTo(api.addresses[0], { cluster: { server: `http://127.0.0.1:${await listening(server)}` } })
  const result = await execInPod(connection, { namespace: 'default', pod: 'web', container: 'web', command: ['x'] })
  expect([result.stdout.toString(), result.code]).toEqual(['early', 0])
})

test('the time of a login is not that of an answer', async () => {
  const connection = connectionTo(api.addresses[0], {})
  const answerMs = 1_000
  let login: Promise<unknown> | undefined
  const current = async () => {
    await (login ??= delay(answerMs + 100))
    return connection.credentials.current()
  }
  const client = createKubeClient({ ...connection, credentials: { ...connection.credentials, current } }, { answerMs })
  expect(await client.request('GET', '/version')).toMatchObject({ major: '1' })
  client.close()
})

describe('the proxy of the environment', () => {
  const proxyFor = (server: string, env: NodeJS.ProcessEnv) => {
    const path = join(folder, 'environment')
    writeFileSync(path, kubeconfig(1, { cluster: { server } }))
    return loadConnection({ path, env }).proxy?.host
  }
  const env = { HTTPS_PROXY: 'http://secure:1', http_proxy: 'plain:2' }

  test.each([
    ['https://api.example', {}, 'secure:1'],
    ['http://api.example', {}, 'plain:2'],
    ['https://localhost', {}, undefined],
    ['https://127.0.0.3:6443', {}, undefined],
    ['https://[::1]:6443', {}, undefined],
    ['https://api.example', { NO_PROXY: 'other, .example' }, undefined],
    ['https://example', { NO_PROXY: '.example' }, 'secure:1'],
    ['https://api.example', { no_proxy: 'example' }, undefined],
    ['https://api.example', { NO_PROXY: 'ample' }, 'secure:1'],
    ['https://api.example:6443', { NO_PROXY: 'api.example:443' }, 'secure:1'],
    ['https://api.example:6443', { NO_PROXY: 'api.example:6443' }, undefined],
    ['https://api.example', { NO_PROXY: '*' }, undefined],
    ['https://10.1.2.3:6443', { NO_PROXY: '10.0.0.0/8' }, undefined],
    ['https://11.1.2.3:6443', { NO_PROXY: '10.0.0.0/8,11.1.2.4' }, 'secure:1'],
    ['https://[fd00::7]:6443', { NO_PROXY: 'fd00::/8' }, undefined],
    ['https://[fd00::7]:6443', { NO_PROXY: 'fd00::7' }, undefined],
  ])('%s with %j: %s', (server, more, wanted) => {
    expect(proxyFor(server, { ...env, ...more })).toBe(wanted)
  })

  test('comes after that of the kubeconfig', () => {
    const path = join(folder, 'both')
    writeFileSync(path, kubeconfig(1, { cluster: { server: 'https://api.example', 'proxy-url': 'socks5://own:3' } }))
    expect(loadConnection({ path, env: { ...env, NO_PROXY: '*' } }).proxy?.href).toBe('socks5://own:3')
  })
})
