import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setLogSink } from '@lateen/base'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FileSource, fileSource } from './file-source.ts'
import { formatProblem } from './read-file.ts'

let directory = ''
let source: FileSource
let hosts = new Map<string, unknown>()
let waiting: (() => void)[] = []

beforeEach(() => {
  setLogSink(() => undefined)
  directory = mkdtempSync(join(tmpdir(), 'config-'))
  hosts = new Map()
  waiting = []
})
afterEach(() => {
  source.stop()
  rmSync(directory, { recursive: true })
})

const write = (name: string, text: string) => writeFileSync(join(directory, name), text)
const rule = (name: string, host: string) =>
  `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: ${name}}\nspec: {host: ${host}}\n`

function start() {
  source = fileSource({ directory, pollMs: 20 })
  source.start((changes) => {
    for (const { operation, object } of changes) {
      const key = `${object.metadata.namespace}/${object.metadata.name}`
      if (operation === 'set') hosts.set(key, object.spec)
      else hosts.delete(key)
    }
    for (const wake of waiting.splice(0)) wake()
  })
  return source.synced
}

/** Waits for the next batches until the claim holds. */
async function until(holds: () => boolean) {
  while (!holds()) await new Promise<void>((resolve) => waiting.push(resolve))
}

/** Problems make no batch, so they are asked for. */
async function problem() {
  while (source.problems().length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  return source.problems().map(formatProblem)
}

test('objects of all files are told, and what changes in the folder is followed', async () => {
  write('a.yaml', `${rule('a', 'one')}---\n${rule('b', 'two')}`)
  await start()
  expect(hosts).toEqual(
    new Map([
      ['default/a', { host: 'one' }],
      ['default/b', { host: 'two' }],
    ]),
  )
  write('a.yaml', rule('a', 'three'))
  await until(() => !hosts.has('default/b'))
  expect(hosts.get('default/a')).toEqual({ host: 'three' })
  write('c.yml', rule('c', 'four'))
  await until(() => hosts.has('default/c'))
})

test('a bad file is reported with its line, and its last good objects stay', async () => {
  write('a.yaml', rule('a', 'one'))
  await start()
  write('a.yaml', 'apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata:\n\tname: a\n')
  expect((await problem())[0]).toMatch(/a\.yaml:4: .*tab/)
  expect(hosts.get('default/a')).toEqual({ host: 'one' })
  write('a.yaml', rule('a', 'fixed'))
  await until(() => JSON.stringify(hosts.get('default/a')) === '{"host":"fixed"}')
  expect(source.problems()).toEqual([])
})

test('an object that cannot work is reported as the webhook would, and the file keeps what it said before', async () => {
  write('a.yaml', rule('a', 'one'))
  await start()
  write(
    'a.yaml',
    'apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\nspec:\n  host: one\n  trafficPolice: {}\n',
  )
  expect((await problem())[0]).toMatch(/a\.yaml:6: DestinationRule a: spec\.trafficPolice/)
  expect(hosts.get('default/a')).toEqual({ host: 'one' })
})

test('an object without a name, and one that is given twice, are reported', async () => {
  write('a.yaml', 'apiVersion: v1\nkind: Service\nmetadata: {}\n')
  write('b.yaml', rule('b', 'first'))
  write('c.yaml', `# a comment\n${rule('b', 'second')}`)
  await start()
  expect(await problem()).toEqual([
    expect.stringMatching(/a\.yaml:3: metadata\.name is missing/),
    expect.stringMatching(/c\.yaml:2: DestinationRule b is already in another place/),
  ])
  expect(hosts.get('default/b')).toEqual({ host: 'first' })
})
