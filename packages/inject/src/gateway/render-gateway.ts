/** A Gateway of the Gateway API to the objects that serve it. Enters: a request; leaves: objects to apply, in their order. */
import type { KubeObject } from '@lateen/api'
import { parseAllDocuments } from 'yaml'
import { isRecord } from '../pod/pod.ts'
import { templateData, templateFunctions } from '../template/custom-template.ts'
import { parseTemplate } from '../template/go/parse.ts'
import { renderTemplate } from '../template/go/render.ts'
import { GoStruct } from '../template/go/values.ts'
import { GATEWAY_NAME_LABEL, type GatewayRequest, infrastructureAnnotations, MANAGED_LABEL, templateInputOf } from './gateway-request.ts'
import { kubeGateway } from './kube-gateway.ts'
import { withOverlays } from './overlays.ts'

/** Its name among the injector's templates. */
const TEMPLATE = 'kube-gateway'
const MAX_OBJECTS = 20

/**
 * The objects for a Gateway, with their overlays, each marked as managed.
 *
 * @throws RangeError, with a text for users, where the template or an overlay cannot be used
 */
export function renderGateway(request: GatewayRequest): KubeObject[] {
  const text = request.settings.config.templates[TEMPLATE] ?? ''
  const objects = text.trim() === '' ? kubeGateway(request) : objectsOfText(text, request)
  return objects.flatMap((object) => {
    const overlaid = withOverlays(object, request.overlays)
    return overlaid ? [managed(overlaid, request.controllerLabel)] : []
  })
}

const managed = (object: KubeObject, controllerLabel: string): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, labels: { ...object.metadata.labels, [MANAGED_LABEL]: controllerLabel } },
})

function objectsOfText(text: string, request: GatewayRequest): KubeObject[] {
  const input = templateInputOf(request)
  const rendered = renderTemplate(parseTemplate(TEMPLATE, text), dataOf(request), templateFunctions(input))
  // Users' labels and annotations are in it: to look for repeated keys takes the library the square of their number.
  const parsed = parseAllDocuments(rendered, { uniqueKeys: false })
  const documents = Array.isArray(parsed) ? parsed : []
  if (documents.length > MAX_OBJECTS) throw new RangeError(`template "${TEMPLATE}" makes more than ${MAX_OBJECTS} objects`)
  return documents.flatMap((document) => {
    const [error] = document.errors
    if (error) throw new RangeError(`template "${TEMPLATE}" makes no YAML: ${error.message.split('\n')[0] ?? ''}`)
    const value: unknown = document.toJS({ maxAliasCount: 100 })
    if (value === null || value === undefined) return []
    if (!isObject(value)) throw new RangeError(`template "${TEMPLATE}" makes something without apiVersion, kind and metadata.name`)
    return [value]
  })
}

function isObject(value: unknown): value is KubeObject {
  return (
    isRecord(value) &&
    typeof value['apiVersion'] === 'string' &&
    typeof value['kind'] === 'string' &&
    isRecord(value['metadata']) &&
    typeof value['metadata']['name'] === 'string'
  )
}

/** What texts read, under the names of Istio's controller: the Gateway's own fields, and what is to be made of it. */
function dataOf(request: GatewayRequest): Record<string, unknown> {
  const { gateway, settings } = request
  const { name, namespace = '', uid = '', labels = {}, annotations = {} } = gateway.metadata
  const input = templateInputOf(request)
  return {
    ...templateData(input),
    ObjectMeta: new GoStruct({ ...gateway.metadata, labels, annotations }),
    Spec: new GoStruct(isRecord(gateway.spec) ? gateway.spec : {}),
    Name: name,
    Namespace: namespace,
    UID: uid,
    Labels: labels,
    Annotations: annotations,
    GatewayClass: request.className,
    DeploymentName: request.name,
    ServiceAccount: request.serviceAccount,
    ServiceType: request.serviceType,
    Ports: request.ports.map((port) => new GoStruct({ ...port })),
    ClusterID: request.clusterId,
    KubeVersion: request.kubernetesVersion,
    Revision: settings.revision,
    Values: settings.values,
    InfrastructureLabels: request.labels,
    InfrastructureAnnotations: infrastructureAnnotations(request),
    GatewayNameLabel: GATEWAY_NAME_LABEL,
    ControllerLabel: request.controllerLabel,
    IsEastWestGateway: false,
  }
}
