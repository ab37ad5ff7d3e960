import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { choosePorts } from './choose-ports.ts'
import { type Home, homeAt, makeHome } from './home.ts'

let home: Home
const servers: Server[] = []

beforeEach(() => {
  home = homeAt(mkdtempSync(join(tmpdir(), 'lateen-ports-')))
  makeHome(home)
})

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))))
  rmSync(home.root, { recursive: true })
})

function listen(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject)
    servers.push(server)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (typeof address === 'object' && address) resolve(address.port)
    })
  })
}

async function freePort(): Promise<number> {
  const port = await listen()
  const server = servers.pop()
  await new Promise((resolve) => server?.close(resolve))
  return port
}

test('ports that the user names are taken as they are, and remembered', async () => {
  const given = { 'api-port': await freePort(), 'gateway-port': await freePort(), 'gateway-tls-port': await freePort() }
  const { ports, notes } = await choosePorts(home, given)
  expect(ports).toEqual({ api: given['api-port'], http: given['gateway-port'], https: given['gateway-tls-port'] })
  expect(notes).toEqual([])
  expect((await choosePorts(home, {})).ports).toEqual(ports)
})

test('a named port that is taken is an error that names its holder and the flag', async () => {
  const port = await listen()
  await expect(choosePorts(home, { 'gateway-port': port })).rejects.toThrow(
    new RegExp(`127\\.0\\.0\\.1:${port}.*in use by process ${process.pid} \\(.*--gateway-port`),
  )
})

test('a remembered port that is taken is replaced by the next free one, with a note', async () => {
  const given = { 'api-port': await freePort(), 'gateway-port': await freePort(), 'gateway-tls-port': await freePort() }
  await choosePorts(home, given)
  const server = createServer()
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(given['api-port'], '127.0.0.1', resolve))
  const { ports, notes } = await choosePorts(home, {})
  expect(ports.api).toBeGreaterThan(given['api-port'])
  expect(notes).toEqual([
    expect.stringMatching(new RegExp(`port ${given['api-port']} is in use by process ${process.pid}.*listens on ${ports.api}`)),
  ])
})

test('a number that is no port is wrong usage', async () => {
  await expect(choosePorts(home, { 'api-port': 70_000 })).rejects.toMatchObject({ exitCode: 64 })
})
