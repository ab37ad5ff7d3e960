/**
 * What a proxy writes down of a call, to be counted by it: the one label of its own metrics (`istio_outbound`, `istio_inbound`), a text of
 * fields in fixed order. The control plane gives the text's format to Envoy, the agent makes Istio's two dozen labels of it.
 *
 * Why one label and not two dozen: docs/decisions/0012-metrics.md.
 */

/** Which end of a call a proxy is. */
export type CallSide = 'outbound' | 'inbound'

/** The label that holds a record; its name says how the record is to be read. */
export const RECORD_LABEL: Readonly<Record<CallSide, string>> = { outbound: 'istio_outbound', inbound: 'istio_inbound' }

/** Between fields: no name, address or certificate holds it. */
export const RECORD_SEPARATOR = '\t'

/** Who called whom. */
export const PEER_FIELDS = {
  /**
   * `service`: what is meant where no cluster tells; `endpoint`: what the control plane says of the endpoint, see {@link PEER_PARTS}.
   */
  outbound: ['service', 'cluster', 'endpoint', 'localPrincipal', 'peerPrincipal'],
  /** `subject`: of the caller's certificate, where the mesh's CA wrote who the caller is. */
  inbound: ['service', 'localPrincipal', 'peerPrincipal', 'subject'],
} as const

/** How a connection or request ended; after the peers. */
export const END_FIELDS = ['flags'] as const

/** What only a request has; after how it ended. */
export const REQUEST_FIELDS = ['code', 'grpcStatus', 'isGrpc'] as const

export type RecordField = (typeof PEER_FIELDS)[CallSide][number] | (typeof END_FIELDS)[number] | (typeof REQUEST_FIELDS)[number]

/**
 * The parts of an endpoint's `istio.workload`, with semicolons between; empty for what is not known. Istio has the first five. The others
 * are left out where they say nothing more: `app` is the service, `version` the revision.
 */
export const PEER_PARTS = ['workload', 'namespace', 'service', 'revision', 'cluster', 'app', 'version'] as const

/** What metrics tell of one end of a call. */
export type Peer = Readonly<Record<(typeof PEER_PARTS)[number], string>>

/** The canonical revision of a workload that has no version. */
export const NO_REVISION = 'latest'
