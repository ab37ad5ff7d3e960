import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const main = join(import.meta.dirname, 'main.ts')
const lateen = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' })

test.each([
  ['discovery', '--grpcAddr'],
  ['proxy', '--serviceCluster'],
  ['wait', '--timeoutSeconds'],
  ['iptables', '--envoy-port'],
])('%s is handed to the program that has its flags', (word, flag) => {
  const { stdout, stderr } = lateen(word, '--help')
  expect(`${stdout}${stderr}`).toContain(flag)
})

test('every other word is a command of the command line', () => {
  expect(execFileSync(process.execPath, [main, 'version', '--remote=false', '--short'], { encoding: 'utf8' })).toMatch(/^\d+\.\d+\.\d+\n$/)
  expect(lateen('verzion').status).toBe(64)
})
