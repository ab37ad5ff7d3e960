/** Access logging that goes nowhere. */
import type { Analyzer } from '../../analyzer.ts'

export const telemetryProviders: Analyzer = {
  name: 'telemetry.ProviderAnalyzer',
  description: 'Telemetries whose access logs have no provider',
  inputs: ['Telemetry', 'MeshConfig'],
  messages: ['InvalidTelemetryProvider'],
  analyze(world, report) {
    if ((world.settings.meshConfig.defaultProviders?.accessLogging ?? []).length > 0) return
    for (const telemetry of world.of('Telemetry')) {
      for (const [i, { disabled, providers = [] }] of (telemetry.spec.accessLogging ?? []).entries()) {
        if (disabled === true || providers.length > 0) continue
        report('InvalidTelemetryProvider', telemetry, { name: telemetry.name, namespace: telemetry.namespace }, `spec.accessLogging[${i}]`)
      }
    }
  },
}
