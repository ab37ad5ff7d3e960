/** Where a change of the root is recorded: in the cluster, or in memory where there is none. */
import { isDeepStrictEqual } from 'node:util'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { logger } from '@lateen/base'
import {
  type CaFiles,
  type ReplicaReport,
  ROTATION_NAME,
  type Rotation,
  type RotationRecord,
  recordFromData,
  recordToData,
  replicaKey,
} from '@lateen/ca'
import { isConflict, isNotFound, type KubeClient, listWatch } from '@lateen/kube'
import { found } from '../../gateway-api/found.ts'
import { isFields } from '../../mesh-config/mesh-documents.ts'

/** Both CAs of a change. The old one is absent when it was replaced while no control plane ran. */
export interface RotationKeys {
  readonly rotation: string
  readonly old?: CaFiles
  readonly next: CaFiles
}

/** The CAs of a change in the direction that it goes in; `undefined` when they are not at hand. */
export function casOf(
  { id, back }: Pick<Rotation, 'id' | 'back'>,
  keys: RotationKeys | undefined,
): { readonly old: CaFiles | undefined; readonly next: CaFiles } | undefined {
  if (keys?.rotation !== id) return undefined
  if (!back) return { old: keys.old, next: keys.next }
  return keys.old && { old: keys.next, next: keys.old }
}

export interface RotationStore {
  readonly record: RotationRecord
  readonly keys: RotationKeys | undefined
  /** Changes the newest record; `undefined` leaves it. Asked again when another writer was faster. */
  update(change: (record: RotationRecord) => RotationRecord | undefined): Promise<void>
  report(replica: string, report: ReplicaReport): Promise<void>
  /** The CAs of a change as they are kept now. */
  loadKeys(): Promise<RotationKeys | undefined>
  /** Keeps the CAs of a change; `undefined` forgets them. */
  saveKeys(keys: RotationKeys | undefined): Promise<void>
  stop(): void
}

const log = logger('ca')
const ATTEMPTS = 5
const CA_FIELDS = ['caCert', 'caKey', 'rootCert', 'certChain', 'crl'] as const

/** For one control plane without a cluster: a change that is under way ends with it. */
export function memoryStore(onChange: () => void): RotationStore {
  let record: RotationRecord = { replicas: {} }
  let keys: RotationKeys | undefined
  return {
    get record() {
      return record
    },
    get keys() {
      return keys
    },
    update: async (change) => {
      record = change(record) ?? record
      onChange()
    },
    report: async (replica, report) => {
      record = { ...record, replicas: { ...record.replicas, [replicaKey(replica)]: report } }
    },
    loadKeys: () => Promise.resolve(keys),
    saveKeys: async (next) => {
      keys = next
      onChange()
    },
    stop: () => undefined,
  }
}

/** Follows ConfigMap and Secret `istio-ca-rotation`; fulfilled once both are known. */
export async function kubeStore(client: KubeClient, namespace: string, onChange: () => void): Promise<RotationStore> {
  let map: KubeObject | undefined
  let record: RotationRecord = { replicas: {} }
  let keys: RotationKeys | undefined
  const setMap = (object: KubeObject | undefined) => {
    map = object
    record = recordFromData(object?.data)
    onChange()
  }
  const setSecret = (object: KubeObject | undefined) => {
    const next = object && keysOf(object)
    if (isDeepStrictEqual(next, keys)) return
    keys = next
    onChange()
  }
  const options = { namespace, fieldSelector: `metadata.name=${ROTATION_NAME}`, log }
  const watches = [
    { type: RESOURCE_TYPES.ConfigMap, set: setMap },
    { type: RESOURCE_TYPES.Secret, set: setSecret },
  ].map(({ type, set }) => listWatch(client, type, options, { replace: ([object]) => set(object), set, delete: () => set(undefined) }))
  await Promise.all(watches.map(({ synced }) => synced))

  const write = async (next: RotationRecord): Promise<KubeObject> => {
    const data = recordToData(next)
    if (map) return client.update(RESOURCE_TYPES.ConfigMap, { ...map, data })
    const metadata = { name: ROTATION_NAME, namespace, labels: { 'istio.io/config': 'true' } }
    return client.create(RESOURCE_TYPES.ConfigMap, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data })
  }
  return {
    get record() {
      return record
    },
    get keys() {
      return keys
    },
    update: async (change) => {
      for (let attempt = 1; ; attempt++) {
        const next = change(record)
        if (!next) return
        try {
          return setMap(await write(next))
        } catch (error) {
          if (!(isConflict(error) || isNotFound(error)) || attempt >= ATTEMPTS) throw error
          setMap(await found(client.get(RESOURCE_TYPES.ConfigMap, namespace, ROTATION_NAME)))
        }
      }
    },
    report: async (replica, report) => {
      const data = { [replicaKey(replica)]: JSON.stringify(report) }
      setMap(await client.patch(RESOURCE_TYPES.ConfigMap, namespace, ROTATION_NAME, { data }))
    },
    loadKeys: async () => {
      setSecret(await found(client.get(RESOURCE_TYPES.Secret, namespace, ROTATION_NAME)))
      return keys
    },
    saveKeys: async (next) => {
      if (!next) {
        await found(client.delete(RESOURCE_TYPES.Secret, namespace, ROTATION_NAME))
        return
      }
      const data = secretData(next)
      const existing = await found(client.get(RESOURCE_TYPES.Secret, namespace, ROTATION_NAME))
      const metadata = { name: ROTATION_NAME, namespace }
      const secret = existing
        ? await client.update(RESOURCE_TYPES.Secret, { ...existing, data })
        : await client.create(RESOURCE_TYPES.Secret, { apiVersion: 'v1', kind: 'Secret', type: 'istio.io/ca-rotation', metadata, data })
      setSecret(secret)
    },
    stop: () => {
      for (const watch of watches) watch.stop()
    },
  }
}

function secretData({ rotation, old, next }: RotationKeys): Record<string, string> {
  const parts = Object.entries({ rotation, old: old && JSON.stringify(old), next: JSON.stringify(next) })
  return Object.fromEntries(parts.flatMap(([key, text]) => (text === undefined ? [] : [[key, Buffer.from(text).toString('base64')]])))
}

function keysOf({ data }: KubeObject): RotationKeys | undefined {
  const text = (key: string) => (isFields(data) && typeof data[key] === 'string' ? Buffer.from(data[key], 'base64').toString('utf8') : '')
  const [old, next] = [filesOf(text('old')), filesOf(text('next'))]
  if (!next) return undefined
  return { rotation: text('rotation'), next, ...(old ? { old } : {}) }
}

function filesOf(text: string): CaFiles | undefined {
  if (text === '') return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (!isFields(value)) return undefined
    const { caCert, caKey, rootCert } = value
    if (typeof caCert !== 'string' || typeof caKey !== 'string' || typeof rootCert !== 'string') return undefined
    const optional = CA_FIELDS.slice(3).flatMap((field) => (typeof value[field] === 'string' ? [[field, value[field]]] : []))
    return { caCert, caKey, rootCert, ...Object.fromEntries(optional) }
  } catch {
    return undefined
  }
}
