/** Several Telemetries for all of a namespace. */
import type { Analyzer } from '../../analyzer.ts'
import { groupBy } from '../../world.ts'

export const telemetryDefaults: Analyzer = {
  name: 'telemetry.DefaultSelectorAnalyzer',
  description: 'Namespaces with several Telemetries that have no selector',
  inputs: ['Telemetry'],
  messages: ['MultipleTelemetriesWithoutWorkloadSelectors'],
  analyze(world, report) {
    const wide = world.of('Telemetry').filter(({ spec }) => !spec.selector && !spec.targetRef && (spec.targetRefs ?? []).length === 0)
    for (const [namespace, telemetries] of groupBy(wide, (telemetry) => telemetry.namespace)) {
      if (telemetries.length < 2) continue
      const conflictingTelemetries = telemetries.map(({ name }) => name).sort()
      for (const telemetry of telemetries) {
        report('MultipleTelemetriesWithoutWorkloadSelectors', telemetry, { conflictingTelemetries, namespace })
      }
    }
  },
}
