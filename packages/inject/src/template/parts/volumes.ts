/** Volumes of the proxy and where it mounts them. */
import { isRecord } from '../../pod/pod.ts'
import { flagAt, textAt } from '../../settings/values.ts'
import { annotation, type Named, type TemplateInput } from '../input.ts'

export interface Mount {
  readonly name: string
  readonly mountPath: string
  readonly readOnly?: boolean
}

const mount = (name: string, mountPath: string): Mount => ({ name, mountPath })

/** Sockets and certificates of the workload's identity. */
export function identityMounts(input: TemplateInput): Mount[] {
  const gke = textAt(input.values, 'global.caName') === 'GkeWorkloadCertificate'
  const path = '/var/run/secrets/workload-spiffe-credentials'
  return [gke ? { ...mount('gke-workload-certificate', path), readOnly: true } : mount('workload-certs', path)]
}

export function rootCertificateMounts(input: TemplateInput): Mount[] {
  return textAt(input.values, 'global.pilotCertProvider') === 'istiod' ? [mount('istiod-ca-cert', '/var/run/secrets/istio')] : []
}

export function revocationMounts(input: TemplateInput): Mount[] {
  return textAt(input.values, 'global.pilotCertProvider') === 'istiod' ? [mount('istio-ca-crl', '/var/run/secrets/istio/crl')] : []
}

export function bootstrapMounts(input: TemplateInput): Mount[] {
  return annotation(input, 'sidecar.istio.io/bootstrapOverride') === undefined
    ? []
    : [mount('custom-bootstrap-volume', '/etc/istio/custom-bootstrap')]
}

export function staticCertificateMounts(input: TemplateInput): Mount[] {
  return flagAt(input.values, 'global.mountMtlsCerts') ? [{ ...mount('istio-certs', '/etc/certs/'), readOnly: true }] : []
}

/** `sidecar.istio.io/userVolumeMount`: JSON: names and mounts, or a list of mounts with names. */
export function userMounts(input: TemplateInput): Named[] {
  return namedObjects(annotation(input, 'sidecar.istio.io/userVolumeMount'))
}

export function bootstrapVolumes(input: TemplateInput): Named[] {
  const name = annotation(input, 'sidecar.istio.io/bootstrapOverride')
  return name === undefined ? [] : [{ name: 'custom-bootstrap-volume', configMap: { name } }]
}

export function identityVolumes(input: TemplateInput, source: Record<string, unknown>): Named[] {
  return textAt(input.values, 'global.caName') === 'GkeWorkloadCertificate'
    ? [{ name: 'gke-workload-certificate', csi: { driver: 'workloadcertificates.security.cloud.google.com' } }]
    : [{ name: 'workload-certs', ...source }]
}

/** The agent's data, the pod's labels and annotations, and its token for the control plane. */
export function agentVolumes(input: TemplateInput): Named[] {
  const item = (path: string) => ({ path, fieldRef: { fieldPath: `metadata.${path}` } })
  const audience = textAt(input.values, 'global.sds.token.aud', 'istio-ca')
  return [
    { name: 'istio-data', emptyDir: {} },
    { name: 'istio-podinfo', downwardAPI: { items: [item('labels'), item('annotations')] } },
    { name: 'istio-token', projected: { sources: [{ serviceAccountToken: { path: 'istio-token', expirationSeconds: 43200, audience } }] } },
  ]
}

export function rootCertificateVolumes(input: TemplateInput): Named[] {
  return textAt(input.values, 'global.pilotCertProvider') === 'istiod'
    ? [{ name: 'istiod-ca-cert', configMap: { name: 'istio-ca-root-cert' } }]
    : []
}

export function revocationVolumes(input: TemplateInput): Named[] {
  return textAt(input.values, 'global.pilotCertProvider') === 'istiod'
    ? [{ name: 'istio-ca-crl', configMap: { name: 'istio-ca-crl', optional: true } }]
    : []
}

export function staticCertificateVolumes(input: TemplateInput): Named[] {
  if (!flagAt(input.values, 'global.mountMtlsCerts')) return []
  const account = input.pod.spec.serviceAccountName || 'default'
  return [{ name: 'istio-certs', secret: { optional: true, secretName: `istio.${account}` } }]
}

/** `sidecar.istio.io/userVolume`: JSON: names and volumes, or a list of volumes with names. */
export function userVolumes(input: TemplateInput): Named[] {
  return namedObjects(annotation(input, 'sidecar.istio.io/userVolume'))
}

export function pullSecrets(input: TemplateInput): Record<string, unknown> {
  const global = input.values.global
  const secrets = isRecord(global) && Array.isArray(global.imagePullSecrets) ? global.imagePullSecrets : []
  return secrets.length > 0 ? { imagePullSecrets: secrets.map((name) => ({ name: String(name) })) } : {}
}

function namedObjects(text: string | undefined): Named[] {
  if (text === undefined || text === '') return []
  const parsed: unknown = JSON.parse(text)
  if (Array.isArray(parsed)) return parsed.filter(isRecord).map((value) => ({ ...value, name: String(value['name']) }))
  if (!isRecord(parsed)) return []
  return Object.entries(parsed)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => ({ name, ...(isRecord(value) ? value : {}) }))
}

export { mount }
