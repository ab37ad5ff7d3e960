/** Cases of analyzers, written as YAML beside them: objects, and what is found in them. For tests. */
import { parseDocuments, parseMeshConfig, parseMeshNetworks } from '@lateen/api'
import { analyze } from '../analyze.ts'
import { ANALYZERS, OPTIONAL_ANALYZERS } from '../registry.ts'
import { readResource } from '../resource.ts'
import { World } from '../world.ts'

export interface AnalyzerCase {
  readonly name: string
  readonly analyzer: string
  readonly meshConfig?: unknown
  readonly meshNetworks?: unknown
  readonly objects: string
  /** `CODE Kind namespace/name line`, in any order. */
  readonly finds: readonly string[]
}

/** Milliseconds since 1970. */
const NOW = Date.UTC(2026, 0, 1)

export function runCase({ analyzer, objects, meshConfig, meshNetworks }: AnalyzerCase): string[] {
  const parsed = parseDocuments(objects, 'case.yaml')
  const faults = parsed.diagnostics.filter(({ severity }) => severity === 'Error')
  if (faults.length > 0) throw new Error(faults.map(({ message }) => message).join('; '))
  const resources = parsed.objects.flatMap(
    ({ object, positionOf }) => readResource(object, { origin: { file: 'case.yaml', positionOf } }) ?? [],
  )
  const world = new World(resources, {
    now: NOW,
    ...(meshConfig !== undefined && { meshConfig: parseMeshConfig(meshConfig).config }),
    ...(meshNetworks !== undefined && { meshNetworks: parseMeshNetworks(meshNetworks).networks }),
  })
  const analyzers = [...ANALYZERS, ...OPTIONAL_ANALYZERS].filter(({ name }) => name === analyzer)
  if (analyzers.length === 0) throw new Error(`no analyzer is called ${analyzer}`)
  const { findings } = analyze(world, { analyzers })
  return findings
    .map(({ code, origin, reference }) => [code, origin, ...(reference ? [reference.slice('case.yaml:'.length)] : [])].join(' '))
    .sort()
}
