/**
 * What is kept of each object. A mesh of thousands of pods is held in memory, so that what nobody reads is dropped before it is
 * stored; and what is dropped cannot cause work when it changes (node heartbeats, managed fields, status written by others).
 */
import type { KubeObject, ObjectMeta } from '@lateen/api'

export type Projection = (object: KubeObject) => KubeObject | undefined

type Fields = Readonly<Record<string, unknown>>
const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {})
const list = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.map(fields) : [])

/** The given fields of a value, as far as they are set. */
function pick(value: unknown, names: readonly string[]): Record<string, unknown> {
  const from = fields(value)
  const result: Record<string, unknown> = {}
  for (const name of names) if (from[name] !== undefined && from[name] !== null) result[name] = from[name]
  return result
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/** Names, labels, annotations and age; the rest serves other programs. */
function metadata(
  object: KubeObject,
  extra: readonly (keyof ObjectMeta)[] = [],
  keep = (name: string) => name !== LAST_APPLIED,
): ObjectMeta {
  const annotations = Object.entries(object.metadata.annotations ?? {}).filter(([name]) => keep(name))
  return {
    name: object.metadata.name,
    ...pick(object.metadata, ['namespace', 'labels', 'creationTimestamp', ...extra]),
    ...(annotations.length > 0 ? { annotations: Object.fromEntries(annotations) } : {}),
  }
}

const identity = (object: KubeObject) => ({ apiVersion: object.apiVersion, kind: object.kind })

/** Istio's and the Gateway API's kinds: the whole spec; uid and generation, which status conditions refer to. */
export const projectConfig: Projection = (object) => withStatus(object, undefined)

const withStatus = (object: KubeObject, status: Fields | undefined): KubeObject => ({
  ...identity(object),
  metadata: metadata(object, ['uid', 'generation']),
  ...(object.spec === undefined ? {} : { spec: object.spec }),
  ...(status && { status }),
})

/** The addresses that a controller has given the hosts are in the status. */
export const projectServiceEntry: Projection = (object) => {
  const addresses = list(fields(object.status).addresses).map((address) => pick(address, ['host', 'value']))
  return withStatus(object, addresses.length > 0 ? { addresses } : undefined)
}

/** Whether the workload is well, as its agent reports it, is in the status. */
export const projectWorkloadEntry: Projection = (object) => {
  const conditions = list(fields(object.status).conditions).filter((condition) => condition.type === 'Healthy')
  const health = conditions.map((condition) => pick(condition, ['type', 'status']))
  return withStatus(object, health.length > 0 ? { conditions: health } : undefined)
}

export const projectService: Projection = (object) => {
  const ingress = list(fields(fields(object.status).loadBalancer).ingress).map((entry) => pick(entry, ['ip', 'hostname']))
  return {
    ...identity(object),
    metadata: metadata(object),
    spec: pick(object.spec, [
      'type',
      'clusterIP',
      'clusterIPs',
      'externalIPs',
      'externalName',
      'selector',
      'ports',
      'publishNotReadyAddresses',
      'internalTrafficPolicy',
      'externalTrafficPolicy',
      'trafficDistribution',
    ]),
    ...(ingress.length > 0 ? { status: { loadBalancer: { ingress } } } : {}),
  }
}

export const projectEndpointSlice: Projection = (object) => ({
  ...identity(object),
  metadata: metadata(object, [], () => false),
  ...pick(object, ['addressType']),
  endpoints: list(object.endpoints).map((endpoint) => ({
    ...pick(endpoint, ['addresses', 'conditions', 'hostname', 'nodeName', 'zone']),
    ...(endpoint.targetRef ? { targetRef: pick(endpoint.targetRef, ['kind', 'name', 'namespace']) } : {}),
  })),
  ports: list(object.ports).map((port) => pick(port, ['name', 'port', 'protocol', 'appProtocol'])),
})

/** Pods that have an address and have not ended: no other can send or take traffic. */
export const projectPod: Projection = (object) => {
  const status = fields(object.status)
  const podIPs = list(status.podIPs)
  if (status.phase === 'Succeeded' || status.phase === 'Failed') return undefined
  if (podIPs.length === 0 && !status.podIP) return undefined
  const spec = fields(object.spec)
  return {
    ...identity(object),
    metadata: {
      ...metadata(object, ['deletionTimestamp'], isMeshAnnotation),
      ...(object.metadata.ownerReferences
        ? {
            ownerReferences: object.metadata.ownerReferences.map(({ apiVersion, kind, name, uid, controller }) => ({
              apiVersion,
              kind,
              name,
              uid,
              ...(controller ? { controller } : {}),
            })),
          }
        : {}),
    },
    spec: {
      ...pick(spec, ['nodeName', 'serviceAccountName', 'hostNetwork']),
      containers: list(spec.containers).map(containerPorts),
      ...(spec.initContainers ? { initContainers: list(spec.initContainers).map(containerPorts) } : {}),
    },
    status: {
      ...pick(status, ['phase', 'podIP']),
      podIPs: podIPs.length > 0 ? podIPs.map((entry) => pick(entry, ['ip'])) : [{ ip: status.podIP }],
      conditions: list(status.conditions)
        .filter((condition) => condition.type === 'Ready')
        .map((condition) => pick(condition, ['type', 'status'])),
    },
  }
}

const containerPorts = (container: Fields) => ({
  ...pick(container, ['name', 'restartPolicy']),
  ...(container.ports ? { ports: list(container.ports).map((port) => pick(port, ['name', 'containerPort', 'protocol'])) } : {}),
})

/** `sidecar.istio.io/status` is written by injection, is long, and says nothing to the mesh. */
const isMeshAnnotation = (name: string) => name.includes('istio.io/') && name !== 'sidecar.istio.io/status'

const TOPOLOGY = ['topology.kubernetes.io/', 'failure-domain.beta.kubernetes.io/', 'topology.istio.io/', 'kubernetes.io/hostname']

export const projectNode: Projection = (object) => ({
  ...identity(object),
  metadata: {
    name: object.metadata.name,
    labels: Object.fromEntries(
      Object.entries(object.metadata.labels ?? {}).filter(([name]) => TOPOLOGY.some((prefix) => name.startsWith(prefix))),
    ),
  },
  status: { addresses: list(fields(object.status).addresses).map((address) => pick(address, ['type', 'address'])) },
})

export const projectNamespace: Projection = (object) => ({ ...identity(object), metadata: metadata(object) })

const CREDENTIAL_ENTRIES = ['tls.crt', 'tls.key', 'ca.crt', 'ca.crl', 'cert', 'key', 'cacert', 'crl', 'tls.ocsp-staple']

/** Secrets that a gateway could present: those with a certificate and key, or with a CA. Of others not even the name is kept. */
export const projectSecret: Projection = (object) => {
  const data = pick(object.data, CREDENTIAL_ENTRIES)
  if (Object.keys(data).length === 0 || object.type === 'kubernetes.io/service-account-token') return undefined
  return { ...identity(object), metadata: metadata(object, [], () => false), ...pick(object, ['type']), data }
}

const AUTHORITY_ENTRIES = ['ca.crt', 'cacert', 'ca.crl', 'crl']

/** ConfigMaps with authorities that a TLS setting may name. Of others not even the name is kept. */
export const projectConfigMap: Projection = (object) => {
  const data = pick(object.data, AUTHORITY_ENTRIES)
  if (Object.keys(data).length === 0) return undefined
  return { ...identity(object), metadata: metadata(object, [], () => false), data }
}

export const projectIngress: Projection = (object) => ({
  ...identity(object),
  metadata: metadata(object, ['uid', 'generation']),
  spec: object.spec ?? {},
})
