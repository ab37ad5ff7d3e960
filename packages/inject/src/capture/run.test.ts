/** Capture in real network namespaces: who gets a connection, for whom, as root and as an ordinary user. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const LAB = join(import.meta.dirname, '../../testdata/capture-lab.ts')
const POD = '10.9.0.1'
const PEER = '10.9.0.2'
const FLAGS = [
  '-p',
  '15001',
  '-z',
  '15006',
  '-u',
  '1337',
  '-m',
  'REDIRECT',
  '-i',
  '*',
  '-x',
  '',
  '-b',
  '*',
  '-d',
  '15090,15021,15020',
  '--log_output_level=default:info',
]

const works = (program: string, ...args: string[]) => spawnSync(program, args, { stdio: 'ignore' }).status === 0
const tools = works('python3', '-V') && works('ip', '-V') && works('iptables', '-V')
const root = process.getuid?.() === 0 && tools && works('unshare', '-n', 'true')
const rootless = root && works('su', 'tester', '-c', 'unshare -Urn true')

type Step = { readonly capture: readonly string[] } | { readonly call: Record<string, unknown> } | { readonly listing: true }

function runLab(steps: readonly Step[], options: { readonly user?: string; readonly transparent?: boolean } = {}): unknown[] {
  const lab = JSON.stringify({ steps, transparent: options.transparent })
  const result = options.user
    ? spawnSync('su', [options.user, '-c', 'exec unshare -Urn "$0" "$1" "$2"', process.execPath, LAB, lab], { encoding: 'utf8' })
    : spawnSync('unshare', ['-n', process.execPath, LAB, lab], { encoding: 'utf8' })
  if (result.status !== 0) throw new Error(`the lab did not finish: ${result.stderr}`)
  return JSON.parse(result.stdout)
}

const call = (from: 'pod' | 'peer', to: string, port: number, more: Record<string, unknown> = {}): Step => ({
  call: { from, to, port, ...more },
})
const app = { uid: 65534, gid: 65534 }
const proxy = { uid: 1337, gid: 1337 }

const ALONE = join(import.meta.dirname, '../../testdata/capture-alone.ts')

describe('where capture cannot be set up', () => {
  const alone = (flags: readonly string[], options: object) =>
    spawnSync(process.execPath, [ALONE, ...flags], { encoding: 'utf8', ...options })

  test('without iptables, the message says how to install it', () => {
    const result = alone(FLAGS, { env: { PATH: '/nonexistent' } })
    expect(result.status).toBe(1)
    expect(result.stderr).toMatch(/iptables is not installed; install it \(Debian, Ubuntu: apt-get install iptables/)
  })

  test('wrong flags are all named, with exit code 2', () => {
    const result = alone(['--colour', '-p', 'x'], {})
    expect(result.status).toBe(2)
    expect(result.stderr).toMatch(/unknown flag --colour[\s\S]*"x" is no port/)
  })

  test.skipIf(!root)('without any right to change the network, the message says what is needed', () => {
    const result = alone(FLAGS, { uid: 65534, gid: 65534 })
    expect(result.status).toBe(1)
    expect(result.stderr).toMatch(/NET_ADMIN/)
  })
})

describe.skipIf(!root)('capture as root', () => {
  test('outbound connections of the application go to the proxy, its own do not', () => {
    const answers = runLab([
      { capture: [...FLAGS, '-o', '9999'] },
      call('pod', PEER, 80, app),
      call('pod', PEER, 80, proxy),
      call('pod', PEER, 80, { uid: 0, gid: 1337 }),
      call('pod', PEER, 9999, app),
      call('pod', '127.0.0.1', 8080, app),
      call('pod', POD, 8080, app),
    ])
    expect(answers.slice(1)).toEqual(['outbound', 'remote', 'remote', 'remote', 'app', 'app'])
  }, 60_000)

  test('inbound connections go to the proxy, but for its own ports, and from there to the application', () => {
    const ports = [15008, 15020, 15021, 15090]
    const answers = runLab([
      { capture: FLAGS },
      call('peer', POD, 8080),
      ...ports.map((port) => call('peer', POD, port)),
      call('pod', POD, 8080, proxy),
      call('pod', POD, 8080, { ...proxy, source: '127.0.0.6' }),
    ])
    expect(answers.slice(1)).toEqual(['inbound', ...ports.map(() => 'direct'), 'inbound', 'app'])
  }, 60_000)

  test('excluded ranges, included ports and chosen inbound ports are kept apart', () => {
    const answers = runLab([
      { capture: ['-u', '1337', '-m', 'REDIRECT', '-i', '*', '-x', `${PEER}/32`, '-b', '8081', '-q', '9999'] },
      call('pod', PEER, 80, app),
      call('pod', PEER, 9999, app),
      call('peer', POD, 8080),
      call('peer', POD, 8081),
    ])
    expect(answers.slice(1)).toEqual(['remote', 'remote', 'app', 'inbound'])
  }, 60_000)

  test('DNS queries go to the agent, its own go on', () => {
    const answers = runLab([
      { capture: [...FLAGS, '--redirect-dns', '--capture-all-dns'] },
      call('pod', PEER, 53, { ...app, udp: true }),
      call('pod', PEER, 53, { ...proxy, udp: true }),
    ])
    expect(answers.slice(1)).toEqual(['agent', 'remote'])
  }, 60_000)

  test('both address families are captured in a dual-stack pod', () => {
    const answers = runLab([
      { capture: [...FLAGS, '--dual-stack'] },
      call('pod', 'fd09::2', 80, app),
      call('pod', 'fd09::2', 80, proxy),
      call('peer', 'fd09::1', 8080),
      call('pod', 'fd09::1', 8080, { ...proxy, source: '::6' }),
      call('pod', PEER, 80, app),
    ])
    expect(answers.slice(1)).toEqual(['outbound', 'remote', 'inbound', 'app', 'outbound'])
  }, 60_000)

  test('TPROXY hands inbound connections to the proxy with their address, and marked ones to the application', () => {
    const answers = runLab(
      [
        { capture: FLAGS.map((flag) => (flag === 'REDIRECT' ? 'TPROXY' : flag)) },
        call('peer', POD, 8080),
        call('peer', POD, 15021),
        call('pod', POD, 8080, { mark: 1337 }),
        call('pod', POD, 8080, app),
        call('pod', POD, 8080, proxy),
        call('pod', PEER, 80, app),
        call('pod', PEER, 80, proxy),
      ],
      { transparent: true },
    )
    expect(answers[0]).toMatchObject({ code: 0 })
    expect(answers.slice(1)).toEqual([
      `inbound for ${POD}:8080`,
      'direct',
      'app',
      'app',
      expect.stringMatching(/^inbound/),
      'outbound',
      'remote',
    ])
  }, 60_000)

  test('applying again changes nothing, another configuration needs --reconcile, --cleanup-only removes everything', () => {
    const other = [...FLAGS, '-o', '9999']
    const [first, again, conflict, reconciled, clean, listing] = runLab([
      { capture: FLAGS },
      { capture: FLAGS },
      { capture: other },
      { capture: [...other, '--reconcile'] },
      { capture: [...other, '--cleanup-only'] },
      { listing: true },
    ])
    expect(first).toMatchObject({ code: 0, log: [expect.stringMatching(/capture rules set up/)] })
    expect(again).toMatchObject({ code: 0, log: [expect.stringMatching(/in place/)] })
    expect(conflict).toMatchObject({ code: 1, log: [expect.stringMatching(/--reconcile/)] })
    expect(reconciled).toMatchObject({ code: 0 })
    expect(clean).toMatchObject({ code: 0 })
    expect(listing).not.toMatch(/ISTIO|DROP/)
  }, 60_000)

  test('validation tells whether connections arrive at the proxy', () => {
    const probe = ['-z', '15007', '--run-validation', '--skip-rule-apply', '--probe-timeout', '2s']
    const [before, , after] = runLab([{ capture: probe }, { capture: [...FLAGS, '-z', '15007', '-u', '0'] }, { capture: probe }])
    expect(before).toMatchObject({ code: 126 })
    expect(after).toMatchObject({ code: 0 })
  }, 60_000)

  test('a dry run prints the rules and changes nothing', () => {
    const [dry, listing] = runLab([{ capture: [...FLAGS, '--dry-run'] }, { listing: true }])
    expect(dry).toMatchObject({ code: 0, out: [expect.stringMatching(/^\* nat\n-N ISTIO_INBOUND\n/)] })
    expect(listing).not.toMatch(/ISTIO/)
  }, 60_000)
})

describe.skipIf(!rootless)('capture as an ordinary user', () => {
  test("without the proxy's user id, its traffic is told by mark", () => {
    const ports = [15008, 15020, 15021, 15090]
    const answers = runLab(
      [
        { capture: [...FLAGS, '--redirect-dns', '--capture-all-dns'] },
        call('pod', PEER, 80),
        call('pod', PEER, 80, { mark: 1337 }),
        call('pod', POD, 8080),
        call('pod', POD, 8080, { mark: 1337 }),
        call('pod', POD, 8080, { mark: 1337, source: '127.0.0.6' }),
        call('pod', PEER, 15012),
        call('pod', PEER, 53, { udp: true }),
        call('pod', PEER, 53, { udp: true, source: '0.0.0.0|15101' }),
        call('peer', POD, 8080),
        ...ports.map((port) => call('peer', POD, port)),
      ],
      { user: 'tester' },
    )
    expect(answers[0]).toMatchObject({ code: 0, log: [expect.stringMatching(/socket mark 1337/), expect.anything()] })
    expect(answers.slice(1)).toEqual([
      'outbound',
      'remote',
      'app',
      'inbound',
      'app',
      'remote',
      'agent',
      'remote',
      'inbound',
      ...ports.map(() => 'direct'),
    ])
  }, 60_000)
})
