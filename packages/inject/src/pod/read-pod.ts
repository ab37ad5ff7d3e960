/** The check that lets an unknown value be treated as a pod: everything that injection reads has the type that it should. */
import { isRecord, type Pod } from './pod.ts'

/** A pod cannot have more containers, volumes or variables than this and still be worth reading. */
const MAX_ITEMS = 1000

/** What is wrong with a value at a path; `undefined` when nothing is. */
type Check = (value: unknown, path: string) => string | undefined

const text: Check = (value, path) => (typeof value === 'string' ? undefined : `${path} must be a text`)
const number: Check = (value, path) => (typeof value === 'number' ? undefined : `${path} must be a number`)
const truth: Check = (value, path) => (typeof value === 'boolean' ? undefined : `${path} must be true or false`)
const port: Check = (value, path) =>
  typeof value === 'number' || typeof value === 'string' ? undefined : `${path} must be a port number or name`
const textMap: Check = (value, path) =>
  isRecord(value) && Object.values(value).every((item) => typeof item === 'string')
    ? undefined
    : `${path} must map names to strings (quote numbers, true and false)`

/** An object with some checked fields, which may be absent or null unless required. */
function record(fields: Readonly<Record<string, Check>>, required: readonly string[] = []): Check {
  return (value, path) => {
    if (!isRecord(value)) return `${path} must be an object`
    const missing = required.find((field) => value[field] === undefined || value[field] === null)
    if (missing !== undefined) return `${path}.${missing} is missing`
    return first(Object.entries(fields), ([field, check]) => (absent(value[field]) ? undefined : check(value[field], `${path}.${field}`)))
  }
}

function list(check: Check): Check {
  return (value, path) => {
    if (!Array.isArray(value)) return `${path} must be a list`
    if (value.length > MAX_ITEMS) return `${path} has ${value.length} elements; at most ${MAX_ITEMS} are accepted`
    return first([...value.entries()], ([index, item]) => check(item, `${path}[${index}]`))
  }
}

function first<T>(items: readonly T[], check: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const problem = check(item)
    if (problem !== undefined) return problem
  }
  return undefined
}

const absent = (value: unknown): boolean => value === undefined || value === null

const HANDLER = record({
  httpGet: record({ port, path: text, scheme: text }, ['port']),
  tcpSocket: record({ port }, ['port']),
  grpc: record({ port: number }, ['port']),
  timeoutSeconds: number,
})
const NAMED = record({ name: text }, ['name'])
const CONTAINER = record(
  {
    name: text,
    image: text,
    env: list(NAMED),
    ports: list(record({ name: text, containerPort: number }, ['containerPort'])),
    volumeMounts: list(record({ mountPath: text })),
    readinessProbe: HANDLER,
    livenessProbe: HANDLER,
    startupProbe: HANDLER,
    lifecycle: record({ postStart: HANDLER, preStop: HANDLER }),
    securityContext: record({ runAsUser: number, runAsGroup: number }),
    resources: record({ limits: record({}), requests: record({}) }),
  },
  ['name'],
)
const METADATA = record({
  name: text,
  generateName: text,
  namespace: text,
  labels: textMap,
  annotations: textMap,
  ownerReferences: list(record({ apiVersion: text, kind: text, name: text, controller: truth }, ['apiVersion', 'kind', 'name'])),
})
const SPEC = record({
  containers: list(CONTAINER),
  initContainers: list(CONTAINER),
  volumes: list(NAMED),
  imagePullSecrets: list(record({ name: text })),
  hostNetwork: truth,
  serviceAccountName: text,
  dnsPolicy: text,
})

/** The value as a pod, or a sentence saying why it is none. Missing metadata counts as empty, and so do fields that are null. */
export function readPod(value: unknown): { readonly pod: Pod } | { readonly problem: string } {
  if (!isRecord(value)) return { problem: 'the pod is no object' }
  const metadata = value['metadata'] ?? {}
  if (absent(value['spec'])) return { problem: 'spec is missing' }
  const problem = METADATA(metadata, 'metadata') ?? SPEC(value['spec'], 'spec')
  if (problem !== undefined) return { problem }
  const spec = withoutNulls(value['spec'])
  // Checked above, as far as injection reads it; other fields are passed through unread.
  return { pod: { ...value, metadata: withoutNulls(metadata), spec: { ...spec, containers: spec['containers'] ?? [] } } as unknown as Pod }
}

/** Without null fields, here and inside: to Kubernetes, null and absent are the same. */
function withoutNulls(value: unknown): Record<string, unknown> {
  const clean = (item: unknown): unknown => (Array.isArray(item) ? item.map(clean) : isRecord(item) ? withoutNulls(item) : item)
  return isRecord(value)
    ? Object.fromEntries(Object.entries(value).flatMap(([key, item]) => (absent(item) ? [] : [[key, clean(item)]])))
    : {}
}
