/** What changes when output and input are a terminal: colours, width, Ctrl-C. The terminal is a pseudo-terminal of `script`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LATEEN } from '../harness/mesh.ts'
import { must, run } from '../harness/run.ts'
import { inTerminal } from '../harness/terminal.ts'

const folder = mkdtempSync(join(tmpdir(), 'lateen-terminal-'))
const file = join(folder, 'broken.yaml')
const ESCAPE = '\u001b['

beforeAll(async () => {
  await must(LATEEN, ['version', '--remote=false'], { timeoutMs: 120_000 })
  writeFileSync(
    file,
    `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: cart, namespace: shop }
spec: { hosts: [cart], gateways: [missing], http: [{ route: [{ destination: { host: cart } }] }] }
`,
  )
}, 150_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const plain = { ...process.env, NO_COLOR: undefined, TERM: 'xterm', CI: undefined, LATEEN_HOME: join(folder, 'home'), KUBECONFIG: '' }

const terminal = (command: string, { columns, env = {} }: { columns?: number; env?: NodeJS.ProcessEnv } = {}) =>
  inTerminal(command, { env: { ...plain, ...env }, ...(columns ? { columns } : {}) })

async function shown(command: string, options?: Parameters<typeof terminal>[1]): Promise<string> {
  const session = terminal(command, options)
  await session.ended
  return session.output()
}

const ANALYZE = `${LATEEN} analyze --use-kube=false -n shop ${file}`

describe('colours', () => {
  test('are for terminals', async () => {
    expect(await shown(ANALYZE)).toContain(`${ESCAPE}1;31mError${ESCAPE}0m [IST0101]`)
    const piped = await run('sh', ['-c', ANALYZE], { env: plain })
    expect(piped.stdout).toMatch(/^Error \[IST0101\]/)
    expect(piped.code).toBe(79)
  })

  test.each([
    ['NO_COLOR', { NO_COLOR: '1' }, ''],
    ['a dumb terminal', { TERM: 'dumb' }, ''],
    ['--color=false', {}, ' --color=false'],
  ])('are off with %s', async (_name, env, flag) => {
    const text = await shown(`${ANALYZE}${flag}`, { env })
    expect(text).toContain('Error [IST0101]')
    expect(text).not.toContain(ESCAPE)
  })
})

test('help fits the width of the terminal', async () => {
  for (const columns of [80, 120]) {
    const lines = (await shown(`${LATEEN} --help`, { columns })).split('\n')
    const longest = Math.max(...lines.map((line) => line.length))
    expect(longest).toBeLessThanOrEqual(columns)
    expect(longest).toBeGreaterThan(columns - 45)
  }
}, 30_000)

test('Ctrl-C ends a command that waits for what is typed', async () => {
  const session = terminal(`exec ${LATEEN} validate -f -`)
  await session.shows('reading from the terminal')
  session.type('apiVersion: v1\n')
  await session.shows('apiVersion')
  session.type('\u0003')
  expect(await session.ended).toBe(130)
}, 30_000)

test('what is typed until Ctrl-D is read', async () => {
  const session = terminal(`exec ${LATEEN} validate -f -`)
  await session.shows('reading from the terminal')
  session.type('apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: all}\nspec: {mtls: {mode: STRICT}}\n\u0004')
  expect(await session.ended).toBe(0)
  expect(session.output()).toContain('is valid')
}, 30_000)

test('a machine form holds nothing but data, also on a terminal', async () => {
  const text = await shown(`${LATEEN} version --remote=false -o json`)
  expect(JSON.parse(text)).toMatchObject({ clientVersion: { version: expect.any(String) } })
})
