import { EventEmitter } from 'node:events'
import { afterEach, expect, test, vi } from 'vitest'
import { addressBlock } from './address-block.ts'
import { ConnectionGuard, type ConnectionLimits, countsOnly, type Ending, type GuardedConnection } from './connection-guard.ts'

class TestSocket extends EventEmitter {
  readonly remoteAddress: string
  readonly remotePort: number
  bytesRead = 0
  destroyed = false

  constructor(address: string, port: number) {
    super()
    this.remoteAddress = address
    this.remotePort = port
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.emit('close')
  }
}

const LIMITS: ConnectionLimits = {
  total: 10,
  unproven: 6,
  unprovenPerAddress: 3,
  proofMs: 1_000,
  unprovenBytes: 1_000,
  unprovenBytesTogether: 2_500,
  unprovenCalls: 4,
}

const endings: [Ending, string][] = []
let nextPort = 1

function guarded(limits: Partial<ConnectionLimits> = {}) {
  vi.useFakeTimers()
  const guard = new ConnectionGuard({ ...LIMITS, ...limits }, (why, address) => endings.push([why, address]))
  const enter = (address: string): { socket: TestSocket; connection: GuardedConnection | undefined } => {
    const socket = new TestSocket(address, nextPort++)
    return { socket, connection: guard.enter(socket) }
  }
  return { guard, enter }
}

afterEach(() => {
  vi.useRealTimers()
  endings.length = 0
})

test('from one address, the connection that has gone longest without coming further gives way', () => {
  const { guard, enter } = guarded()
  const [a, b, c] = [enter('10.0.0.1'), enter('10.0.0.1'), enter('10.0.0.1')]
  a.connection?.step()
  const d = enter('10.0.0.1')
  expect([a, b, c, d].map(({ socket }) => socket.destroyed)).toEqual([false, true, false, false])
  expect(endings).toEqual([['too many', '10.0.0.1']])
  expect(guard.count).toEqual({ total: 3, unproven: 3 })
})

test('other addresses are not concerned until all together are too many', () => {
  const { enter } = guarded()
  const first = enter('10.0.0.1')
  const others = ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6'].map(enter)
  expect(first.socket.destroyed).toBe(false)
  enter('10.0.0.7')
  expect(first.socket.destroyed).toBe(true)
  expect(others.some(({ socket }) => socket.destroyed)).toBe(false)
})

test('proven connections are not counted by address, and never give way', () => {
  const { guard, enter } = guarded()
  const proven = Array.from({ length: 8 }, () => {
    const entered = enter('10.0.0.1')
    entered.connection?.prove()
    return entered
  })
  for (let i = 0; i < 20; i++) enter('10.0.0.1')
  expect(proven.some(({ socket }) => socket.destroyed)).toBe(false)
  expect(guard.count.total).toBeLessThanOrEqual(LIMITS.total)
})

test('where all are proven, or are being examined, a newcomer is refused', () => {
  const { enter } = guarded({ unproven: 2 })
  enter('10.0.0.1').connection?.examine()
  const done = enter('10.0.0.2').connection?.examine()
  const refused = enter('10.0.0.3')
  expect(refused.connection).toBeUndefined()
  expect(refused.socket.destroyed).toBe(true)
  done?.()
  expect(enter('10.0.0.3').connection).toBeDefined()
})

test('a connection that proves nothing in time is ended; the time of an examination does not count', async () => {
  const { guard, enter } = guarded()
  const [silent, examined, proven] = [enter('10.0.0.1'), enter('10.0.0.2'), enter('10.0.0.3')]
  const done = examined.connection?.examine()
  proven.connection?.prove()
  await vi.advanceTimersByTimeAsync(1_300)
  expect([silent, examined, proven].map(({ socket }) => socket.destroyed)).toEqual([true, false, false])
  expect(endings).toEqual([['too slow', '10.0.0.1']])
  done?.()
  await vi.advanceTimersByTimeAsync(900)
  expect(examined.socket.destroyed).toBe(false)
  await vi.advanceTimersByTimeAsync(500)
  expect(examined.socket.destroyed).toBe(true)
  expect(guard.count).toEqual({ total: 1, unproven: 0 })
})

test('what is sent before a proof is bounded, for each and for all', async () => {
  const { enter } = guarded()
  const [one, two, three, four] = [enter('10.0.0.1'), enter('10.0.0.2'), enter('10.0.0.3'), enter('10.0.0.4')]
  one.socket.bytesRead = 1_001
  for (const { socket } of [two, three]) socket.bytesRead = 900
  four.socket.bytesRead = 950
  await vi.advanceTimersByTimeAsync(500)
  expect([one, two, three, four].map(({ socket }) => socket.destroyed)).toEqual([true, false, false, true])
})

test('calls before a proof are bounded', () => {
  const { enter } = guarded()
  const [one, proven] = [enter('10.0.0.1'), enter('10.0.0.2')]
  proven.connection?.prove()
  for (let i = 0; i < 5; i++) for (const { connection } of [one, proven]) connection?.call()
  expect([one.socket.destroyed, proven.socket.destroyed]).toEqual([true, false])
})

test('closed connections are forgotten, also when something is still said of them', () => {
  const { guard, enter } = guarded()
  const { socket, connection } = enter('10.0.0.1')
  const done = connection?.examine()
  socket.destroy()
  done?.()
  connection?.step()
  connection?.prove()
  expect(guard.count).toEqual({ total: 0, unproven: 0 })
  expect(vi.getTimerCount()).toBe(0)
})

test('a port without proofs leaves half of its connections to others than the one who takes most', () => {
  const { enter } = guarded(countsOnly(4))
  const flood = Array.from({ length: 50 }, () => enter('10.0.0.1'))
  const other = enter('10.0.0.2')
  for (let i = 0; i < 50; i++) flood.push(enter('10.0.0.1'))
  expect(flood.filter(({ socket }) => !socket.destroyed)).toHaveLength(2)
  expect(other.socket.destroyed).toBe(false)
})

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['2001:db8:0:7::1', '2001:db8:0:7::/64'],
  ['2001:0db8::7:8:9:a:b', '2001:db8:0:7::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['', ''],
])('the address %s is counted under %s', (address, block) => {
  expect(addressBlock(address)).toBe(block)
})
