/** Which requests the API server brings to istiod: pods to inject, configuration to check. */
import type { KubeObject } from '@lateen/api'
import { istiodName } from './istiod.ts'
import { commonLabels, kubeObject } from './object.ts'
import { type Installation, revisionSuffix } from './options.ts'

type Expression = { readonly key: string; readonly operator: string; readonly values?: readonly string[] }

const ADMISSION = 'admissionregistration.k8s.io/v1'
const isIn = (key: string, ...values: string[]): Expression => ({ key, operator: 'In', values })
const notIn = (key: string, ...values: string[]): Expression => ({ key, operator: 'NotIn', values })
const absent = (key: string): Expression => ({ key, operator: 'DoesNotExist' })

const INJECT = 'sidecar.istio.io/inject'
const REVISION = 'istio.io/rev'
const NAMESPACE_SWITCH = 'istio-injection'

/** MutatingWebhookConfiguration `istio-sidecar-injector`: by revision label of namespace or pod, by `istio-injection`, by the pod's own label. */
export function injectionWebhooks(installation: Installation): KubeObject {
  const { revision } = installation
  const notRefused = notIn(INJECT, 'false')
  const byRevision = [
    webhook(installation, 'rev.namespace', [isIn(REVISION, revision), absent(NAMESPACE_SWITCH)], [notRefused]),
    webhook(installation, 'rev.object', [absent(REVISION), absent(NAMESPACE_SWITCH)], [notRefused, isIn(REVISION, revision)]),
  ]
  const byDefault = [
    webhook(installation, 'namespace', [isIn(NAMESPACE_SWITCH, 'enabled')], [notRefused]),
    webhook(installation, 'object', [absent(NAMESPACE_SWITCH), absent(REVISION)], [isIn(INJECT, 'true'), absent(REVISION)]),
  ]
  const name = `istio-sidecar-injector${revisionSuffix(installation)}`
  return kubeObject(
    ADMISSION,
    'MutatingWebhookConfiguration',
    { name, labels: commonLabels(installation, 'istiod', { app: 'sidecar-injector' }) },
    {
      webhooks: revision === 'default' ? [...byRevision, ...byDefault] : byRevision,
    },
  )
}

function webhook(
  installation: Installation,
  name: string,
  namespaceSelector: readonly Expression[],
  objectSelector: readonly Expression[],
): Record<string, unknown> {
  return {
    name: `${name}.sidecar-injector.istio.io`,
    clientConfig: clientConfig(installation, '/inject'),
    sideEffects: 'None',
    rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
    failurePolicy: 'Fail',
    reinvocationPolicy: 'Never',
    admissionReviewVersions: ['v1'],
    namespaceSelector: { matchExpressions: namespaceSelector },
    objectSelector: { matchExpressions: objectSelector },
  }
}

/** ValidatingWebhookConfiguration `istio-validator-<namespace>`. istiod turns `Ignore` into `Fail` once it can answer. */
export function validationWebhooks(installation: Installation): KubeObject {
  const { namespace, revision } = installation
  const groups = ['security.istio.io', 'networking.istio.io', 'telemetry.istio.io', 'extensions.istio.io']
  const name = `istio-validator${revisionSuffix(installation)}-${namespace}`
  const validator = (prefix: string, selector: Expression) => ({
    name: `${prefix}validation.istio.io`,
    clientConfig: clientConfig(installation, '/validate'),
    sideEffects: 'None',
    rules: [{ operations: ['CREATE', 'UPDATE'], apiGroups: groups, apiVersions: ['*'], resources: ['*'] }],
    failurePolicy: 'Ignore',
    admissionReviewVersions: ['v1'],
    objectSelector: { matchExpressions: [selector] },
  })
  return kubeObject(
    ADMISSION,
    'ValidatingWebhookConfiguration',
    { name, labels: commonLabels(installation, 'istiod', { app: 'istiod', istio: 'istiod' }) },
    {
      webhooks: [validator('rev.', isIn(REVISION, revision)), ...(revision === 'default' ? [validator('', absent(REVISION))] : [])],
    },
  )
}

function clientConfig(installation: Installation, path: string): Record<string, unknown> {
  const { namespace, caBundle } = installation
  return { service: { name: istiodName(installation), namespace, path, port: 443 }, ...(caBundle === undefined ? {} : { caBundle }) }
}
