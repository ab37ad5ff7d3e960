/** Pods injected, objects checked, webhook configurations patched. */
import { type Instruments, SECONDS } from './instruments.ts'

export interface WebhookMetrics {
  injection(outcome: 'success' | 'failure' | 'skip', seconds: number): void
  validation(outcome: 'passed' | 'failed', object: { readonly group: string; readonly version: string; readonly resource: string }): void
  malformed(): void
  patched(outcome: 'patched' | 'failed', name: string): void
}

export function createWebhookMetrics({ counter, histogram }: Instruments): WebhookMetrics {
  const requests = counter('sidecar_injection_requests_total', 'Pods seen by injection')
  const injections = {
    success: counter('sidecar_injection_success_total', 'Pods injected'),
    failure: counter('sidecar_injection_failure_total', 'Pods that could not be injected'),
    skip: counter('sidecar_injection_skip_total', 'Pods that injection left alone'),
  }
  const injectionTime = histogram('sidecar_injection_time_seconds', 'Seconds that an injection takes', SECONDS)
  const validations = {
    passed: counter('galley_validation_passed', 'Objects found valid', 'group', 'version', 'resource'),
    failed: counter('galley_validation_failed', 'Objects refused', 'group', 'version', 'resource'),
  }
  const malformed = counter('galley_validation_http_error', 'Reviews that could not be read')
  const attempts = counter('webhook_patch_attempts_total', 'Webhook configurations patched', 'name')
  const failures = counter('webhook_patch_failures_total', 'Webhook configurations that could not be patched', 'name')
  return {
    injection: (outcome, seconds) => {
      requests.inc()
      injections[outcome].inc()
      injectionTime.observe(seconds)
    },
    validation: (outcome, { group, version, resource }) => validations[outcome].inc({ group, version, resource }),
    malformed: () => malformed.inc(),
    patched: (outcome, name) => {
      attempts.inc({ name })
      if (outcome === 'failed') failures.inc({ name })
    },
  }
}
