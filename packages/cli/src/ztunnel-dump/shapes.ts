/** Parts of ztunnel's state as istioctl writes them: fields in its order, with a value where there is none. What it does not know follows. */
import { type Fields, fields } from '../config-dump/fields.ts'

/** For fields that are left out when they are empty. */
const OPTIONAL = Symbol('optional')

type Shape = readonly (readonly [name: string, otherwise: unknown])[]

const WORKLOAD: Shape = [
  ['uid', ''],
  ['workloadIps', null],
  ['waypoint', OPTIONAL],
  ['networkGateway', OPTIONAL],
  ['protocol', ''],
  ['name', ''],
  ['namespace', ''],
  ['serviceAccount', ''],
  ['workloadName', ''],
  ['workloadType', ''],
  ['canonicalName', ''],
  ['canonicalRevision', ''],
  ['clusterId', ''],
  ['trustDomain', OPTIONAL],
  ['locality', {}],
  ['node', ''],
  ['network', OPTIONAL],
  ['status', ''],
  ['hostname', ''],
  ['capacity', 0],
  ['applicationTunnel', { protocol: '' }],
  ['authorizationPolicies', OPTIONAL],
]

const SERVICE: Shape = [
  ['name', ''],
  ['namespace', ''],
  ['hostname', ''],
  ['vips', null],
  ['ports', null],
  ['loadBalancer', OPTIONAL],
  ['waypoint', OPTIONAL],
  ['endpoints', null],
  ['subjectAltNames', OPTIONAL],
  ['ipFamilies', ''],
]

const POLICY: Shape = [
  ['name', ''],
  ['namespace', ''],
  ['scope', ''],
  ['action', ''],
  ['rules', null],
]

const CERTIFICATE: Shape = [
  ['identity', ''],
  ['state', ''],
  ['certChain', null],
  ['rootCerts', null],
]

const CONNECTIONS: Shape = [
  ['inbound', null],
  ['outbound', null],
]

const INFO: Shape = [
  ['name', ''],
  ['namespace', ''],
  ['trustDomain', ''],
  ['serviceAccount', ''],
]

export const workloadShape = (value: Fields): Fields => shaped(WORKLOAD, value)
export const serviceShape = (value: Fields): Fields => shaped(SERVICE, value)
export const policyShape = (value: Fields): Fields => shaped(POLICY, value)
export const certificateShape = (value: Fields): Fields => shaped(CERTIFICATE, value)

export const stateShape = (value: Fields): Fields => ({
  ...(isEmpty(value['state']) ? {} : { state: value['state'] }),
  connections: shaped(CONNECTIONS, fields(value['connections'])),
  info: shaped(INFO, fields(value['info'])),
})

function shaped(shape: Shape, value: Fields): Fields {
  const known = shape.flatMap(([name, otherwise]) => {
    const own = value[name] ?? (otherwise === OPTIONAL ? undefined : otherwise)
    return otherwise === OPTIONAL && isEmpty(own) ? [] : [[name, own] as const]
  })
  const names = new Set(shape.map(([name]) => name))
  return Object.fromEntries([...known, ...Object.entries(value).filter(([name]) => !names.has(name))])
}

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
