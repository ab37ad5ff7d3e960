/** Tracing by the Lightstep provider, which OpenTelemetry has replaced. */
import type { Analyzer } from '../../analyzer.ts'

export const lightstep: Analyzer = {
  name: 'telemetry.LightstepAnalyzer',
  description: 'Telemetries that use a Lightstep provider',
  inputs: ['Telemetry', 'MeshConfig'],
  messages: ['Deprecated'],
  analyze(world, report) {
    const providers = (world.settings.meshConfig.extensionProviders ?? []).filter(({ lightstep }) => lightstep !== undefined)
    const names = new Set(providers.map(({ name }) => name))
    for (const telemetry of world.of('Telemetry')) {
      for (const [i, { providers: used = [] }] of (telemetry.spec.tracing ?? []).entries()) {
        for (const [j, { name }] of used.entries()) {
          if (!names.has(name)) continue
          const detail = `the Lightstep provider ${name ?? ''} is deprecated; use an OpenTelemetry provider`
          report('Deprecated', telemetry, { detail }, `spec.tracing[${i}].providers[${j}].name`)
        }
      }
    }
  },
}
