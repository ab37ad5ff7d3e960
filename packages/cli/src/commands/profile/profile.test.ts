import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { inProcess } from '../../../testdata/in-process.ts'
import { TREE } from '../tree.ts'

const shell = (...argv: string[]) => inProcess(['profile', ...argv], {}, { tree: TREE })

test('a dump is an IstioOperator, as YAML and as JSON', async () => {
  const { stdout } = await shell('dump', 'demo')
  expect(parse(stdout)).toMatchObject({ kind: 'IstioOperator', spec: { profile: 'demo', meshConfig: { accessLogFile: '/dev/stdout' } } })
  expect(JSON.parse((await shell('dump', 'demo', '-o', 'json')).stdout)).toEqual(parse(stdout))
})

test('flags are paths for --set', async () => {
  const { stdout } = await shell('dump', 'demo', '-o', 'flags', '--config-path', 'components.egressGateways')
  expect(stdout.trim().split('\n')).toEqual([
    'components.egressGateways[0].name=istio-egressgateway',
    'components.egressGateways[0].enabled=true',
  ])
})

test('a path that leads nowhere is named', async () => {
  const { code, stderr } = await shell('dump', '--config-path', 'values.nothing')
  expect(stderr).toContain('the profile has nothing at "values.nothing"')
  expect(code).toBe(65)
})

test('a difference has both values and an exit code', async () => {
  const { code, stdout } = await shell('diff', 'default', 'minimal')
  expect(stdout).toBe('spec.components.ingressGateways[name=istio-ingressgateway].enabled\n  - true\n  + false\n')
  expect(code).toBe(1)
  expect(await shell('diff', 'demo', 'demo')).toMatchObject({ code: 0, stdout: 'The two profiles are the same\n' })
})

test('a profile that is not there is named, with those that are', async () => {
  const { code, stderr } = await shell('dump', 'production')
  expect(stderr).toContain('there is no profile "production"; there are ambient, default')
  expect(code).toBe(65)
})
