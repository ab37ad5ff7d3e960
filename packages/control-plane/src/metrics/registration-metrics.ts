/** Workloads that register themselves. */
import type { RegistrationObserver } from '../workload-entries/registry.ts'
import type { Instruments } from './instruments.ts'

export function createRegistrationMetrics({ counter }: Instruments): RegistrationObserver {
  const registered = counter('auto_registration_success_total', 'WorkloadEntries made for workloads that have connected')
  const updated = counter('auto_registration_updates_total', 'WorkloadEntries whose workload has connected again')
  const unregistered = counter('auto_registration_unregister_total', 'WorkloadEntries whose workload has gone')
  const deleted = counter('auto_registration_deletes_total', 'WorkloadEntries deleted because their workload stayed away')
  const failed = counter('auto_registration_errors_total', 'Registrations that failed')
  return {
    registered: () => registered.inc(),
    updated: () => updated.inc(),
    unregistered: () => unregistered.inc(),
    deleted: () => deleted.inc(),
    failed: () => failed.inc(),
  }
}
