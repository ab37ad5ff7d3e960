/** Rules against those that Istio makes for the same settings. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type CaptureConfig, DEFAULT_CAPTURE } from './config.ts'
import { restoreInput } from './restore.ts'
import { captureRules } from './rules.ts'

const cases = join(import.meta.dirname, '../../../../../shared/conformance/sidecar-iptables')

describe.skipIf(!existsSync(cases))('capture rules equal those of Istio', () => {
  for (const name of existsSync(cases) ? readdirSync(cases) : [])
    test(name, () => {
      const config = configOf(JSON.parse(readFileSync(join(cases, name, 'case.json'), 'utf8')))
      expect(script(config)).toEqual(readFileSync(join(cases, name, 'expected.txt'), 'utf8').trimEnd())
    })
})

/** The expected texts also hold the listings before and after. */
function script(config: CaptureConfig): string {
  const after = config.enableIpv6 ? 'iptables-save\nip6tables-save' : 'iptables-save'
  return `iptables-save\nip6tables-save\n${restoreInput(captureRules(config, 'v4'))}${restoreInput(captureRules(config, 'v6'))}${after}`
}

/** Case settings are named as Istio's fields (`ProxyUID`), ours as camel case (`proxyUid`). */
function configOf(file: { config: Record<string, unknown> }): CaptureConfig {
  const known = new Map(Object.keys(DEFAULT_CAPTURE).map((key) => [key.toLowerCase(), key]))
  const own = Object.entries(file.config).flatMap(([key, value]) => {
    const name = known.get(key.toLowerCase())
    if (name === undefined && key !== 'DryRun') throw new Error(`setting ${key} is not known`)
    return name === undefined ? [] : [[name, value]]
  })
  return { ...DEFAULT_CAPTURE, ...Object.fromEntries(own) }
}
