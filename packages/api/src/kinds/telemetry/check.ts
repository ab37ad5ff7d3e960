/** What makes a Telemetry object unusable or surely not what was meant. */
import { parseDuration } from '@lateen/base'
import type { At } from '../../diagnostics/at.ts'
import { celProblem } from '../../validation/cel-syntax.ts'
import { checkAttachment } from '../../validation/selectors.ts'
import type { Subject } from '../../validation/subject.ts'
import { checkPercent } from '../../validation/values.ts'
import type { ProviderRef, TelemetryAccessLogging, TelemetryMetrics, TelemetrySpec, TelemetryTracing } from './telemetry.ts'

export function checkTelemetry({ spec, at }: Subject<TelemetrySpec>): void {
  checkAttachment(spec, at)
  at.in('metrics').each(spec.metrics, checkMetrics)
  const count = spec.tracing?.length ?? 0
  if (count > 1) at.in('tracing').say('SeveralTracings', { count })
  at.in('tracing').each(spec.tracing, checkTracing)
  at.in('accessLogging').each(spec.accessLogging, checkLogging)
}

function checkProviders(providers: readonly ProviderRef[] | undefined, at: At): void {
  at.each(providers, ({ name }, place) => {
    if (!name) place.in('name').say('EmptyName')
  })
}

function checkMetrics(metrics: TelemetryMetrics, at: At): void {
  checkProviders(metrics.providers, at.in('providers'))
  // Only the CRD looks at this one.
  if ((parseDuration(metrics.reportingInterval ?? '1s') ?? 1) < 1)
    at.in('reportingInterval').say('ServerRefuses', { reason: 'at least 1ms is needed' })
  at.in('overrides').each(metrics.overrides, ({ match, tagOverrides }, place) => {
    if (match?.customMetric === '') place.in('match', 'customMetric').say('EmptyName')
    place.in('tagOverrides').entries(tagOverrides, ({ operation = 'UPSERT', value = '' }, tag, name) => {
      if (name === '') tag.say('OverrideNameEmpty')
      if (operation === 'UPSERT' && value === '') tag.in('value').say('TagValueMissing')
      if (operation === 'REMOVE' && value !== '') tag.in('value').say('TagValueWithRemove')
    })
  })
}

function checkTracing(tracing: TelemetryTracing, at: At): void {
  const count = tracing.providers?.length ?? 0
  if (count > 1) at.in('providers').say('SeveralTracingProviders', { count })
  checkProviders(tracing.providers, at.in('providers'))
  checkPercent(tracing.randomSamplingPercentage, at.in('randomSamplingPercentage'))
  at.in('customTags').entries(tracing.customTags, ({ literal, header, environment }, place, name) => {
    if (name === '') place.say('TagNameEmpty')
    if (literal && !literal.value) place.in('literal', 'value').say('TagTextEmpty', { field: 'value' })
    if (header && !header.name) place.in('header', 'name').say('TagTextEmpty', { field: 'header name' })
    if (environment && !environment.name) place.in('environment', 'name').say('TagTextEmpty', { field: 'variable name' })
  })
}

function checkLogging(logging: TelemetryAccessLogging, at: At): void {
  checkProviders(logging.providers, at.in('providers'))
  const expression = logging.filter?.expression
  const problem = expression ? celProblem(expression) : undefined
  if (problem !== undefined) at.in('filter', 'expression').say('CelSyntax', { problem })
}
