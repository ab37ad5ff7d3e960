/**
 * Golden cases: `scenario.in.yaml` beside `scenario.out.yaml`. `UPDATE_GOLDEN=1` rewrites the outputs and names those that
 * changed; where `CI` is set it refuses to.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatDiagnostic, isRecord } from '@lateen/base'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { decodeResource, meshOf, openProxy, readCase, resourcesOf, SHOWN_TYPES } from './mesh-case.ts'

/** What the translation makes of a case: the resources that its header asks for, with diagnostics. */
export function translateCase(text: string): Record<string, unknown> {
  const meshCase = readCase(text)
  const mesh = meshOf(meshCase)
  const session = openProxy(mesh, meshCase.header.proxy)
  const show = meshCase.header.show ?? Object.fromEntries(Object.keys(SHOWN_TYPES).map((type) => [type, ['*']]))
  const output: Record<string, unknown> = {}
  for (const [type, typeUrl] of Object.entries(SHOWN_TYPES)) {
    const wanted = show[type]
    if (!wanted) continue
    const shown = [...resourcesOf(session.resources(typeUrl))].filter(([name]) => wanted.some((pattern) => fits(pattern, name)))
    if (shown.length > 0) output[type] = Object.fromEntries(shown.map(([name, bytes]) => [name, brief(decodeResource(typeUrl, bytes))]))
  }
  const diagnostics = mesh.diagnostics().map(formatDiagnostic)
  if (diagnostics.length > 0) output['diagnostics'] = diagnostics
  return output
}

/** Loggers that count are the same everywhere: of each, only what it counts is shown. */
function brief(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(brief)
  if (!isRecord(value)) return value
  const config = value['typedConfig']
  if (isRecord(config) && config['@type'] === COUNTER) return counted(config)
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, brief(field)]))
}

const COUNTER = 'type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config'

function counted(config: Readonly<Record<string, unknown>>): string {
  const metrics = [config['counters'], config['histograms']].flat().filter(isRecord)
  const names = metrics.map(({ stat }) => (isRecord(stat) ? String(stat['name']) : ''))
  return `counts ${names.join(', ')}`
}

const fits = (pattern: string, name: string): boolean => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern)

/** Declares a test for each case of a folder. */
export function goldenCases(folder: string): void {
  describe(`golden cases in ${folder.split('/').slice(-2).join('/')}`, () => {
    const names = readdirSync(folder).filter((name) => name.endsWith('.in.yaml'))
    for (const name of names.sort()) test(name.slice(0, -'.in.yaml'.length), () => checkCase(join(folder, name)))
  })
}

function checkCase(inputPath: string): void {
  const outputPath = inputPath.replace(/\.in\.yaml$/, '.out.yaml')
  const actual = stringify(translateCase(readFileSync(inputPath, 'utf8')), { lineWidth: 0, aliasDuplicateObjects: false })
  const expected = existsSync(outputPath) ? readFileSync(outputPath, 'utf8') : ''
  if (process.env['UPDATE_GOLDEN'] && actual !== expected) {
    if (process.env['CI']) throw new Error('UPDATE_GOLDEN is set in CI: outputs are rewritten by people, who read them')
    writeFileSync(outputPath, actual)
    process.stderr.write(`rewrote ${outputPath}\n`)
    return
  }
  expect(actual).toBe(expected)
}
