/** What makes a WorkloadGroup unusable. */
import type { At } from '../../diagnostics/at.ts'
import { checkPort } from '../../validation/addresses.ts'
import { checkPlainHeaderName } from '../../validation/headers.ts'
import type { Subject } from '../../validation/subject.ts'
import { checkLabels, checkNotNegative } from '../../validation/values.ts'
import type { ReadinessProbe, WorkloadGroupSpec } from './workload-group.ts'

export function checkWorkloadGroup({ spec, at }: Subject<WorkloadGroupSpec>): void {
  if (!spec.template) return at.in('template').say('Required')
  checkLabels(spec.metadata?.labels, at.in('metadata', 'labels'))
  checkProbe(spec.probe, at.in('probe'))
}

export function checkProbe(probe: ReadinessProbe | undefined, at: At): void {
  if (!probe) return
  for (const field of ['periodSeconds', 'initialDelaySeconds', 'timeoutSeconds', 'successThreshold', 'failureThreshold'] as const) {
    checkNotNegative(probe[field], at.in(field))
  }
  const { httpGet, tcpSocket, exec, grpc } = probe
  if (!httpGet && !tcpSocket && !exec && !grpc) at.say('ProbeMissing')
  if (httpGet) {
    const place = at.in('httpGet')
    checkPort(httpGet.port, place.in('port'))
    if (httpGet.scheme && httpGet.scheme !== 'HTTP' && httpGet.scheme !== 'HTTPS')
      place.in('scheme').say('ProbeScheme', { scheme: httpGet.scheme })
    place.in('httpHeaders').each(httpGet.httpHeaders, ({ name = '' }, header) => {
      checkPlainHeaderName(name, header.in('name'))
    })
  }
  if (tcpSocket) checkPort(tcpSocket.port, at.in('tcpSocket', 'port'))
  if (grpc) checkPort(grpc.port, at.in('grpc', 'port'))
  if (exec && !exec.command?.length) at.in('exec', 'command').say('CommandMissing')
}
