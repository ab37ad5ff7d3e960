import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { applicationHasSockets, foreignSockets } from './application.ts'

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 501 1 0000000000000000 100 0 0 10 0
   1: 00000000:3A9E 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1337        0 502 1 0000000000000000 100 0 0 10 0
   2: 0100007F:9C40 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 503 1 0000000000000000 20 4 30 10 -1
   3: 0100007F:9C42 0100007F:1F90 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0000000000000000
   4: 0100007F:9C44 0100007F:1F90 08 00000000:00000000 00:00000000 00000000     0        0 504 1 0000000000000000 20 4 30 10 -1
`

test('counts what listens and what is connected, and not what is the proxy own, waits for its end or has no process', () => {
  expect(foreignSockets(TABLE, new Set())).toBe(3)
  expect(foreignSockets(TABLE, new Set(['502']))).toBe(2)
  expect(foreignSockets(TABLE, new Set(['501', '502', '503']))).toBe(0)
})

test('a process that cannot be looked into is no reason to wait', async () => {
  expect(await applicationHasSockets([2 ** 30])).toBe(false)
})

test('a listening socket of another process than those named is the application', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    expect(await applicationHasSockets([])).toBe(true)
  } finally {
    server.close()
  }
})
