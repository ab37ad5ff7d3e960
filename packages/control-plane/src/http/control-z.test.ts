import { logger, setLogSink } from '@lateen/base'
import { afterEach, expect, test } from 'vitest'
import { answer } from './control-z.ts'

const lines: string[] = []
const scope = logger('control-z-test')
setLogSink((line) => void lines.push(line))
afterEach(() => void lines.splice(0))

const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  answer({
    method,
    url: new URL(path, 'http://localhost'),
    headers: { host: 'localhost:9876', ...headers },
    remoteAddress: '127.0.0.1',
    body: async () => (typeof body === 'string' ? body : JSON.stringify(body)),
  })

test('lists scopes and tells one of them', async () => {
  const { body } = await ask('GET', '/scopej')
  const expected = { name: 'control-z-test', description: '', output_level: 'info', stack_trace_level: 'none', log_callers: false }
  expect(JSON.parse(body)).toContainEqual(expected)
  expect(JSON.parse((await ask('GET', '/scopej/control-z-test')).body)).toEqual(expected)
})

test('changes a level at once, and back', async () => {
  scope.debug('unheard')
  expect((await ask('PUT', '/scopej/control-z-test', { name: 'control-z-test', output_level: 'debug' })).status).toBe(202)
  scope.debug('heard')
  await ask('PUT', '/scopej/control-z-test', { output_level: 'info' })
  scope.debug('unheard')
  expect(lines.filter((line) => line.includes('heard'))).toHaveLength(1)
})

test('adds stack traces from a level on, on the line itself', async () => {
  await ask('PUT', '/scopej/control-z-test', { stack_trace_level: 'error' })
  scope.info('calm')
  scope.error('broken')
  await ask('PUT', '/scopej/control-z-test', { stack_trace_level: 'none' })
  expect(lines.find((line) => line.includes('calm'))).not.toContain('stack=')
  expect(lines.find((line) => line.includes('broken'))).toMatch(/stack=at .*control-z\.test\.ts/)
})

test.each([
  ['an unknown scope', ['GET', '/scopej/nobody'], 404],
  ['an unknown level', ['PUT', '/scopej/control-z-test', { output_level: 'loud' }], 400],
  ['a body that is no JSON', ['PUT', '/scopej/control-z-test', 'x'], 400],
  ['another method', ['DELETE', '/scopej/control-z-test'], 405],
  ['a page of another site', ['PUT', '/scopej/control-z-test', {}, { origin: 'https://evil.example' }], 403],
  ['a name of somebody else', ['GET', '/scopej', undefined, { host: 'evil.example' }], 403],
] as const)('refuses %s', async (_what, [method, path, body, headers], status) => {
  expect((await ask(method, path, body, headers)).status).toBe(status)
})

test('has a page for people', async () => {
  expect(await ask('GET', '/')).toMatchObject({ status: 200, body: expect.stringContaining('control-z-test') })
})
