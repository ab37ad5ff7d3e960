/** Telemetry: which traces, metrics and access logs proxies make. */
import { atMostOne, targetRef, targetRefs } from '../../messages/target-reference.ts'
import { WorkloadSelector } from '../../messages/workload-selector.ts'
import { double, duration, flag, list, map, message, of, oneOf, required, type Static, text } from '../../schema/define.ts'
import { AGE, defineKind } from '../kind.ts'

const MODES = ['CLIENT_AND_SERVER', 'CLIENT', 'SERVER'] as const

export const ProviderRef = message('ProviderRef', {
  name: required(text('Name of an extension provider of the mesh configuration.', { minLength: 1 })),
})
export interface ProviderRef extends Static<typeof ProviderRef> {}

const TracingSelector = message('TracingSelector', { mode: oneOf(MODES, 'Which side of a call.') })
const LogSelector = message('LogSelector', { mode: oneOf(MODES, 'Which side of a call.') })

const TagLiteral = message('TagLiteral', { value: required(text('The value.', { minLength: 1 })) })
const TagEnvironment = message('TagEnvironment', {
  name: required(text('Name of the environment variable.', { minLength: 1 })),
  defaultValue: text('Value when it is not set.'),
})
const TagHeader = message('TagHeader', {
  name: required(text('Name of the request header.', { minLength: 1 })),
  defaultValue: text('Value when it is missing.'),
})
const TagFormatter = message('TagFormatter', { value: required(text('Access log format operators.', { minLength: 1 })) })

export const TracingCustomTag = message(
  'TracingCustomTag',
  {
    literal: of(TagLiteral, 'A fixed value.'),
    environment: of(TagEnvironment, 'An environment variable of the proxy.'),
    header: of(TagHeader, 'A request header.'),
    formatter: of(TagFormatter, 'A text as in access logs.'),
  },
  { oneOfs: [['literal', 'environment', 'header', 'formatter']] },
)
export interface TracingCustomTag extends Static<typeof TracingCustomTag> {}

export const TelemetryTracing = message('Tracing', {
  match: of(TracingSelector, 'Which side of a call this is for; both when unset.'),
  providers: list(of(ProviderRef), "Where spans go; the mesh's default when unset."),
  randomSamplingPercentage: double('Share of requests that are traced, in percent.', { minimum: 0, maximum: 100, nullable: true }),
  disableSpanReporting: flag('Make no spans; context is still passed on.', { nullable: true }),
  customTags: map(of(TracingCustomTag), 'Further tags of spans, by name.'),
  useRequestIdForTraceSampling: flag('Whether the request id carries the sampling decision; true when unset.', { nullable: true }),
  enableIstioTags: flag("Whether Istio's own tags are put on spans; true when unset.", { nullable: true }),
  disableContextPropagation: flag('Do not pass trace context on.', { nullable: true }),
})
export interface TelemetryTracing extends Static<typeof TelemetryTracing> {}

export const METRICS = [
  'ALL_METRICS',
  'REQUEST_COUNT',
  'REQUEST_DURATION',
  'REQUEST_SIZE',
  'RESPONSE_SIZE',
  'TCP_OPENED_CONNECTIONS',
  'TCP_CLOSED_CONNECTIONS',
  'TCP_SENT_BYTES',
  'TCP_RECEIVED_BYTES',
  'GRPC_REQUEST_MESSAGES',
  'GRPC_RESPONSE_MESSAGES',
] as const

export const MetricSelector = message(
  'MetricSelector',
  {
    metric: oneOf(METRICS, 'One of the standard metrics, or all.'),
    customMetric: text('Any other metric, by name.', { minLength: 1 }),
    mode: oneOf(MODES, 'Which side of a call.'),
  },
  { oneOfs: [['metric', 'customMetric']] },
)
export interface MetricSelector extends Static<typeof MetricSelector> {}

export const TagOverride = message(
  'TagOverride',
  {
    operation: oneOf(['UPSERT', 'REMOVE'], 'Set the tag (the default) or take it away.'),
    value: text('CEL expression for the value; for UPSERT.'),
  },
  {
    rules: [
      {
        rule: "((has(self.operation) ? self.operation : '') == 'UPSERT') ? (self.value != '') : true",
        message: 'value must be set when operation is UPSERT',
      },
      {
        rule: "((has(self.operation) ? self.operation : '') == 'REMOVE') ? !has(self.value) : true",
        message: 'value must not be set when operation is REMOVE',
      },
    ],
  },
)
export interface TagOverride extends Static<typeof TagOverride> {}

export const MetricsOverride = message('MetricsOverride', {
  match: of(MetricSelector, 'Which metrics.'),
  disabled: flag('Turn them off.', { nullable: true }),
  tagOverrides: map(of(TagOverride), 'Changes of their tags, by name.'),
})
export interface MetricsOverride extends Static<typeof MetricsOverride> {}

export const TelemetryMetrics = message('Metrics', {
  providers: list(of(ProviderRef), "Where metrics go; the mesh's default when unset."),
  overrides: list(of(MetricsOverride), 'Changes, in order.'),
  reportingInterval: duration('Time between two reports of TCP metrics; 5s when unset.', {
    rules: [{ rule: "duration(self) >= duration('1ms')", message: 'must be a duration of at least 1ms' }],
  }),
})
export interface TelemetryMetrics extends Static<typeof TelemetryMetrics> {}

export const AccessLogFilter = message('AccessLogFilter', {
  expression: text('CEL expression that must be true for a line to be written.'),
})
export interface AccessLogFilter extends Static<typeof AccessLogFilter> {}

export const TelemetryAccessLogging = message('AccessLogging', {
  match: of(LogSelector, 'Which side of a call this is for; both when unset.'),
  providers: list(of(ProviderRef), "Where lines go; the mesh's default when unset."),
  disabled: flag('Write nothing.', { nullable: true }),
  filter: of(AccessLogFilter, 'Which requests are written; all when unset.'),
})
export interface TelemetryAccessLogging extends Static<typeof TelemetryAccessLogging> {}

export const TelemetrySpec = message(
  'Telemetry',
  {
    selector: of(WorkloadSelector, 'Workloads that this is for; all of the namespace when unset.'),
    targetRef: targetRef(),
    targetRefs: targetRefs(),
    tracing: list(of(TelemetryTracing), 'Settings of traces.'),
    metrics: list(of(TelemetryMetrics), 'Settings of metrics.'),
    accessLogging: list(of(TelemetryAccessLogging), 'Settings of access logs.'),
  },
  { rules: [atMostOne('selector', 'targetRef', 'targetRefs')] },
)
export interface TelemetrySpec extends Static<typeof TelemetrySpec> {}

export const TelemetryKind = defineKind({
  group: 'telemetry.istio.io',
  kind: 'Telemetry',
  plural: 'telemetries',
  shortNames: ['telemetry'],
  versions: [
    { name: 'v1', served: true, storage: false },
    { name: 'v1alpha1', served: true, storage: true },
  ],
  columns: [AGE],
  description: 'Which traces, metrics and access logs proxies make.',
  spec: TelemetrySpec,
})
