/**
 * CustomResourceDefinitions of the Gateway API, for clusters that come without: all kinds and fields that the mesh reads, and those
 * beside them that objects in the field have. On other clusters the project's own definitions are installed by their users.
 */
import type { KubeObject } from '../object.ts'
import type { JsonSchema } from '../schema/json-schema.ts'
import { backendTlsPolicySchema, gatewayClassSchema, gatewaySchema, listenerSetSchema, referenceGrantSchema } from './gateway-schemas.ts'
import { bytesRouteSchema, grpcRouteSchema, httpRouteSchema, tlsRouteSchema } from './route-schemas.ts'
import { GATEWAY_GROUP } from './shapes.ts'

/** The release of the Gateway API whose fields these are; tools look for it. */
const BUNDLE = { [`${GATEWAY_GROUP}/bundle-version`]: 'v1.5.0', [`${GATEWAY_GROUP}/channel`]: 'experimental' }

interface Definition {
  readonly kind: string
  readonly plural: string
  readonly spec: JsonSchema
  /** The first is the one in which objects are kept. */
  readonly versions: readonly string[]
  readonly shortNames?: readonly string[]
  readonly scope?: 'Cluster'
  readonly columns?: readonly Column[]
  readonly hasStatus?: false
}

interface Column {
  readonly name: string
  readonly type: string
  readonly jsonPath: string
}

const column = (name: string, jsonPath: string, type = 'string'): Column => ({ name, type, jsonPath })
const AGE = column('Age', '.metadata.creationTimestamp', 'date')
const HOSTNAMES = column('Hostnames', '.spec.hostnames')
const condition = (name: string, type = name) => column(name, `.status.conditions[?(@.type=="${type}")].status`)

const DEFINITIONS: readonly Definition[] = [
  {
    kind: 'GatewayClass',
    plural: 'gatewayclasses',
    spec: gatewayClassSchema,
    versions: ['v1', 'v1beta1'],
    shortNames: ['gc'],
    scope: 'Cluster',
    columns: [column('Controller', '.spec.controllerName'), condition('Accepted'), AGE],
  },
  {
    kind: 'Gateway',
    plural: 'gateways',
    spec: gatewaySchema,
    versions: ['v1', 'v1beta1'],
    shortNames: ['gtw'],
    columns: [column('Class', '.spec.gatewayClassName'), column('Address', '.status.addresses[*].value'), condition('Programmed'), AGE],
  },
  { kind: 'HTTPRoute', plural: 'httproutes', spec: httpRouteSchema, versions: ['v1', 'v1beta1'], columns: [HOSTNAMES, AGE] },
  { kind: 'GRPCRoute', plural: 'grpcroutes', spec: grpcRouteSchema, versions: ['v1'], columns: [HOSTNAMES, AGE] },
  { kind: 'TLSRoute', plural: 'tlsroutes', spec: tlsRouteSchema, versions: ['v1', 'v1alpha3', 'v1alpha2'], columns: [HOSTNAMES, AGE] },
  { kind: 'TCPRoute', plural: 'tcproutes', spec: bytesRouteSchema, versions: ['v1alpha2'], columns: [AGE] },
  { kind: 'UDPRoute', plural: 'udproutes', spec: bytesRouteSchema, versions: ['v1alpha2'], columns: [AGE] },
  {
    kind: 'ListenerSet',
    plural: 'listenersets',
    spec: listenerSetSchema,
    versions: ['v1'],
    shortNames: ['lset'],
    columns: [condition('Accepted'), condition('Programmed'), AGE],
  },
  {
    kind: 'ReferenceGrant',
    plural: 'referencegrants',
    spec: referenceGrantSchema,
    versions: ['v1beta1', 'v1'],
    shortNames: ['refgrant'],
    columns: [AGE],
    hasStatus: false,
  },
  {
    kind: 'BackendTLSPolicy',
    plural: 'backendtlspolicies',
    spec: backendTlsPolicySchema,
    versions: ['v1'],
    shortNames: ['btlspolicy'],
    columns: [AGE],
  },
]

/** The CustomResourceDefinitions (apiextensions.k8s.io/v1), ready to be applied. */
export function gatewayApiCrds(): KubeObject[] {
  return DEFINITIONS.map(definitionOf)
}

function definitionOf(definition: Definition): KubeObject {
  const { kind, plural, versions, shortNames, scope = 'Namespaced' } = definition
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${GATEWAY_GROUP}`,
      // Without word of approval no API server takes a group below k8s.io.
      annotations: { 'api-approved.kubernetes.io': 'https://github.com/kubernetes-sigs/gateway-api/pull/891', ...BUNDLE },
    },
    spec: {
      group: GATEWAY_GROUP,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        categories: ['gateway-api'],
        ...(shortNames && { shortNames }),
      },
      scope,
      versions: versions.map((name, index) => versionOf(definition, name, index === 0)),
    },
  }
}

function versionOf({ spec, columns, hasStatus }: Definition, name: string, storage: boolean): JsonSchema {
  const status = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  return {
    name,
    served: true,
    storage,
    schema: { openAPIV3Schema: { type: 'object', properties: { spec, ...(hasStatus !== false && { status }) }, required: ['spec'] } },
    ...(hasStatus !== false && { subresources: { status: {} } }),
    ...(columns && { additionalPrinterColumns: columns }),
  }
}
