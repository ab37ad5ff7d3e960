/**
 * Containers and probes as JSON in the field order of Kubernetes' own types. Texts that other programs compare (annotation
 * values) are written in this order, so that the same pod always has the same text.
 */
import { isRecord } from './pod.ts'
import { canonicalQuantity } from './quantity.ts'

/** One order serves all the types inside a container: no two of them disagree. Map-like fields sort by name. */
const ORDER = [
  'containers initContainers',
  'name image command args workingDir hostPort containerPort ports envFrom env',
  'limits requests claims resources resizePolicy restartPolicy restartPolicyRules',
  'value valueFrom apiVersion fieldPath containerName resource divisor key optional',
  'readOnly recursiveReadOnly mountPath subPath mountPropagation subPathExpr devicePath volumeMounts volumeDevices',
  'exec httpGet tcpSocket grpc sleep path port service host scheme httpHeaders',
  'initialDelaySeconds timeoutSeconds periodSeconds successThreshold failureThreshold terminationGracePeriodSeconds',
  'livenessProbe readinessProbe startupProbe postStart preStop stopSignal lifecycle',
  'terminationMessagePath terminationMessagePolicy imagePullPolicy',
  'capabilities privileged seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot readOnlyRootFilesystem',
  'allowPrivilegeEscalation procMount seccompProfile appArmorProfile securityContext',
  'protocol hostIP stdin stdinOnce tty',
].flatMap((line) => line.split(' '))
const RANK = new Map(ORDER.map((name, index) => [name, index]))

/** Values of these are maps with free keys. */
const FREE_KEYS = new Set(['limits', 'requests'])

/** The value's JSON text with fields in order; `undefined` and `null` fields are left out. */
export function orderedJson(value: unknown): string {
  return JSON.stringify(ordered(value, ''))
}

function ordered(value: unknown, field: string): unknown {
  if (Array.isArray(value)) return value.map((item) => ordered(item, field))
  if (!isRecord(value)) return value
  const free = FREE_KEYS.has(field)
  const rank = (key: string) => (free ? 0 : (RANK.get(key) ?? ORDER.length))
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined && item !== null)
    .sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, item]) => [key, free ? canonicalQuantity(String(item)) : ordered(item, key)]))
}
