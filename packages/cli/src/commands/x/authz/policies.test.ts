/** The policies that a proxy enforces, from the RBAC filters of its listeners. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { dumpOf, dumpText } from '../../../../testdata/dumps.ts'
import { runShell } from '../../../shell/shell.ts'
import { TREE } from '../../tree.ts'
import { enforcedPolicies } from './policies.ts'

const http = (rbac: readonly unknown[]) => ({
  name: 'envoy.filters.network.http_connection_manager',
  typed_config: {
    http_filters: rbac.map((config) => ({
      name: 'envoy.filters.http.rbac',
      typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC', ...Object(config) },
    })),
  },
})
const tcp = (config: object) => ({
  name: 'envoy.filters.network.rbac',
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC', ...config },
})
const policies = (...names: string[]) => Object.fromEntries(names.map((name) => [name, { permissions: [{ any: true }] }]))

const LISTENER = {
  name: 'virtualInbound',
  filter_chains: [
    {
      filters: [
        http([
          { shadow_rules: { action: 'DENY', policies: policies('istio-ext-authz-ns[shop]-policy[ask]-rule[0]') } },
          { rules: { action: 'DENY', policies: policies('ns[shop]-policy[no-admin]-rule[0]', 'ns[shop]-policy[no-admin]-rule[1]') } },
          // ALLOW is the default, which Envoy leaves out.
          { rules: { policies: policies('ns[istio-system]-policy[readers]-rule[0]') } },
          { rules: { action: 'LOG', policies: policies('ns[shop]-policy[seen]-rule[0]') } },
        ]),
      ],
    },
    { filters: [tcp({ rules: { action: 'DENY', policies: policies('ns[shop]-policy[no-admin]-rule[1]') } }), tcp({ rules: {} })] },
  ],
}

test('each policy is told once, by action, with the number of its rules', () => {
  expect(enforcedPolicies(dumpOf({ listeners: [LISTENER] }))).toEqual([
    { action: 'CUSTOM', policy: 'ask.shop', rules: 1 },
    { action: 'DENY', policy: 'no-admin.shop', rules: 2 },
    { action: 'ALLOW', policy: '_anonymous_match_nothing_', rules: 1 },
    { action: 'ALLOW', policy: 'readers.istio-system', rules: 1 },
    { action: 'LOG', policy: 'seen.shop', rules: 1 },
  ])
})

test('a proxy without policies has none', () => {
  expect(enforcedPolicies(dumpOf({ listeners: [{ name: 'plain' }] }))).toEqual([])
})

const folder = mkdtempSync(join(tmpdir(), 'lateen-authz-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a saved dump is enough; one that was cut off is told in one line', async () => {
  const run = async (text: string) => {
    const file = join(folder, 'dump.json')
    writeFileSync(file, text)
    let [stdout, stderr] = ['', '']
    const streams = {
      stdout: { write: (more: string) => void (stdout += more) },
      stderr: { write: (more: string) => void (stderr += more) },
    }
    const code = await runShell(['x', 'authz', 'check', '-f', file], {
      tree: TREE,
      foreign: [],
      env: {},
      streams,
      signal: new AbortController().signal,
    })
    return { code, stdout, stderr }
  }
  const whole = dumpText({ listeners: [LISTENER] })
  expect((await run(whole)).stdout.split('\n')[0]).toBe('ACTION   AuthorizationPolicy         RULES')
  const cut = await run(whole.slice(0, 200))
  expect(cut.code).toBe(1)
  expect(cut.stderr).toContain('is damaged: it ends after 200 bytes, in the middle')
  expect(cut.stderr.trim().split('\n')).toHaveLength(1)
  expect((await run('{"configs": []}')).stderr).toContain(
    'config dump has no configuration type type.googleapis.com/envoy.admin.v3.ListenersConfigDump',
  )
})
