/** WorkloadGroup: the template for WorkloadEntries of workloads that register themselves. */
import { int32, list, map, message, of, required, type Static, text, uint32 } from '../../schema/define.ts'
import type { CelRule } from '../../schema/node.ts'
import { AGE, defineKind, versions } from '../kind.ts'
import { WorkloadEntrySpec } from '../workload-entry/workload-entry.ts'

const PORT_NUMBER: CelRule = { rule: '0 < self && self <= 65535', message: 'a port is between 1 and 65535' }

export const WorkloadGroupMetadata = message('WorkloadGroupMetadata', {
  labels: map(text(), 'Labels of the WorkloadEntries.', { maxProperties: 256 }),
  annotations: map(text(), 'Annotations of the WorkloadEntries.', { maxProperties: 256 }),
})
export interface WorkloadGroupMetadata extends Static<typeof WorkloadGroupMetadata> {}

export const HTTPHeader = message('HTTPHeader', {
  name: text('Name of the header.', { pattern: '^[-_A-Za-z0-9]+$' }),
  value: text('Its value.'),
})
export interface HTTPHeader extends Static<typeof HTTPHeader> {}

export const HTTPHealthCheckConfig = message('HTTPHealthCheckConfig', {
  path: text('Path to ask for.'),
  port: required(uint32('Port to ask at.', { rules: [PORT_NUMBER] })),
  host: text('Host to ask; the own address when unset.'),
  scheme: text('HTTP or HTTPS.', { rules: [{ rule: "self in ['', 'HTTP', 'HTTPS']", message: 'scheme is HTTP or HTTPS' }] }),
  httpHeaders: list(of(HTTPHeader), 'Headers to send.'),
})
export interface HTTPHealthCheckConfig extends Static<typeof HTTPHealthCheckConfig> {}

export const TCPHealthCheckConfig = message('TCPHealthCheckConfig', {
  host: text('Host to connect to; localhost when unset.'),
  port: required(uint32('Port to connect to.', { rules: [PORT_NUMBER] })),
})
export interface TCPHealthCheckConfig extends Static<typeof TCPHealthCheckConfig> {}

export const ExecHealthCheckConfig = message('ExecHealthCheckConfig', {
  command: required(list(text(undefined, { minLength: 1 }), 'Command and its arguments; exit status 0 is healthy.')),
})
export interface ExecHealthCheckConfig extends Static<typeof ExecHealthCheckConfig> {}

export const GrpcHealthCheckConfig = message('GrpcHealthCheckConfig', {
  port: uint32('Port to ask at.', { rules: [PORT_NUMBER] }),
  service: text('Service name to put into the health request.'),
})
export interface GrpcHealthCheckConfig extends Static<typeof GrpcHealthCheckConfig> {}

export const ReadinessProbe = message(
  'ReadinessProbe',
  {
    initialDelaySeconds: int32('Seconds before the first probe.', { minimum: 0 }),
    timeoutSeconds: int32('Seconds that a probe may take; 1 when unset.', { minimum: 0 }),
    periodSeconds: int32('Seconds between probes; 10 when unset.', { minimum: 0 }),
    successThreshold: int32('Successes in a row that make it healthy; 1 when unset.', { minimum: 0 }),
    failureThreshold: int32('Failures in a row that make it unhealthy; 3 when unset.', { minimum: 0 }),
    httpGet: of(HTTPHealthCheckConfig, 'Ask by HTTP.'),
    tcpSocket: of(TCPHealthCheckConfig, 'Connect by TCP.'),
    exec: of(ExecHealthCheckConfig, 'Run a command.'),
    grpc: of(GrpcHealthCheckConfig, 'Ask by the gRPC health protocol.'),
  },
  { oneOfs: [['httpGet', 'tcpSocket', 'exec', 'grpc']] },
)
export interface ReadinessProbe extends Static<typeof ReadinessProbe> {}

export const WorkloadGroupSpec = message('WorkloadGroup', {
  metadata: of(WorkloadGroupMetadata, 'Labels and annotations of the WorkloadEntries.'),
  template: required(of(WorkloadEntrySpec, 'What the WorkloadEntries are made from; address is filled in.')),
  probe: of(ReadinessProbe, 'How readiness of a workload is found out.'),
})
export interface WorkloadGroupSpec extends Static<typeof WorkloadGroupSpec> {}

export const WorkloadGroupKind = defineKind({
  group: 'networking.istio.io',
  kind: 'WorkloadGroup',
  plural: 'workloadgroups',
  shortNames: ['wg'],
  versions: versions('v1', 'v1alpha3', 'v1beta1'),
  columns: [AGE],
  description: 'The template for WorkloadEntries of workloads that register themselves.',
  spec: WorkloadGroupSpec,
  specRequired: true,
})
