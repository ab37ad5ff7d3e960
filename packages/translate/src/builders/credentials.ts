/** `credentialName`: the names of secrets, and where a proxy gets them. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { ApiConfigSource_ApiType, ApiVersion } from '@lateen/envoy/gen/envoy/config/core/v3/config_source_pb.js'
import type { SdsSecretConfigSchema } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import type { MeshSettings } from '@lateen/model'
import { clusterName } from '../names.ts'
import { ads } from './config-source.ts'

/** Stands for the workload's own certificate and the mesh's roots. */
export const BUILT_IN = 'builtin://'

/** Secrets of a service of the user's own; its name and port are in an extension provider. */
const EXTERNAL = 'sds://'

/** Ends the name of the authorities that belong to a credential. */
const AUTHORITIES = '-cacert'

/** Begins names of Secrets that a Gateway of the Gateway API refers to; whether it may was decided by its references. */
export const GRANTED = 'kubernetes-gateway://'

const SCHEMES = ['kubernetes://', GRANTED, 'configmap://', 'invalid://', EXTERNAL]

/** The name under which a proxy asks for a credential. */
export function credentialResource(name: string): string {
  return SCHEMES.some((scheme) => name.startsWith(scheme)) ? name : `kubernetes://${name}`
}

/** The authorities of a credential; a name that is one of authorities stays. */
export const authoritiesOf = (name: string): string => (name.endsWith(AUTHORITIES) ? name : `${name}${AUTHORITIES}`)

/** The credential that a name of authorities belongs to; other names stay. */
export const baseOf = (name: string): string => (name.endsWith(AUTHORITIES) ? name.slice(0, -AUTHORITIES.length) : name)

/**
 * How long a listener or cluster waits for a credential (milliseconds). One that is missing closes connections of its own; without a
 * limit it would hold back everything else. The same for both: over ADS Envoy asks for a name once, and what comes goes only to those
 * whose source is the same to the letter.
 */
const WAIT = 2000

/** A credential over the ADS stream, or from the first external provider when its name asks for one. */
export function credentialSource(name: string, settings: MeshSettings): MessageInitShape<typeof SdsSecretConfigSchema> {
  const provider = name.startsWith(EXTERNAL) ? settings.mesh.extensionProviders?.find(({ sds }) => sds)?.sds : undefined
  if (!provider?.service) return { name: credentialResource(name), sdsConfig: ads(WAIT) }
  const cluster = clusterName('outbound', provider.port ?? 0, '', provider.service.slice(provider.service.indexOf('/') + 1))
  return {
    name: name.slice(EXTERNAL.length),
    sdsConfig: {
      configSourceSpecifier: {
        case: 'apiConfigSource',
        value: {
          apiType: ApiConfigSource_ApiType.GRPC,
          transportApiVersion: ApiVersion.V3,
          setNodeOnFirstMessageOnly: true,
          grpcServices: [{ targetSpecifier: { case: 'envoyGrpc', value: { clusterName: cluster } } }],
        },
      },
      resourceApiVersion: ApiVersion.V3,
    },
  }
}

/** Where a credential of a gateway in a namespace lies. */
export interface CredentialPlace {
  readonly kind: 'Secret' | 'ConfigMap'
  readonly namespace: string
  readonly name: string
}

/**
 * `name`, `kubernetes://name`, `kubernetes://namespace/name`, `kubernetes-gateway://namespace/name` or `configmap://namespace/name`;
 * undefined for what is not in the cluster.
 */
export function credentialPlace(name: string, namespace: string): CredentialPlace | undefined {
  if (name.startsWith(BUILT_IN) || name.startsWith(EXTERNAL) || name.startsWith('invalid://')) return undefined
  const full = credentialResource(name)
  const path = full.slice(full.indexOf('://') + 3)
  const slash = path.indexOf('/')
  const kind = full.startsWith('configmap://') ? 'ConfigMap' : 'Secret'
  return slash < 0 ? { kind, namespace, name: path } : { kind, namespace: path.slice(0, slash), name: path.slice(slash + 1) }
}

/** Whether a proxy must have the right to read it: authorities in a ConfigMap are no secret, and other sources have rules of their own. */
export const needsRight = (name: string): boolean => credentialPlace(name, '')?.kind === 'Secret'
