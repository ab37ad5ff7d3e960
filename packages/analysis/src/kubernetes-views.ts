/**
 * Kubernetes' own kinds as written by anyone → the fields that analyzers read, with their types. What has another type is left out:
 * whether such an object is right is not for the mesh to say.
 */
import type { LabelSelector, LabelSelectorRequirement } from '@lateen/api'

export type Labels = Readonly<Record<string, string>>
export type NothingRead = Readonly<Record<string, never>>

export interface ContainerView {
  readonly name: string
  readonly image: string
  readonly runAsUser: number | undefined
  readonly env: readonly { readonly name: string; readonly value: string }[]
}

export interface PodView {
  readonly containers: readonly ContainerView[]
  readonly initContainers: readonly ContainerView[]
  readonly hostNetwork: boolean
  readonly nodeName: string
  readonly runAsUser: number | undefined
}

/** A deployment's template. */
export interface DeploymentView {
  readonly labels: Labels
  readonly annotations: Labels
  readonly pod: PodView
}

export interface ServicePortView {
  readonly name: string
  readonly port: number
  /** As written; empty means TCP. */
  readonly protocol: string
  readonly appProtocol: string | undefined
  readonly targetPort: string | number | undefined
}

export interface ServiceView {
  readonly type: string
  readonly clusterIP: string
  readonly selector: Labels
  readonly ports: readonly ServicePortView[]
}

export interface ConfigMapView {
  readonly data: Labels
}

/** Values in base64. */
export interface SecretView {
  readonly data: Labels
}

export interface WebhookView {
  readonly name: string
  readonly url: string | undefined
  readonly service: { readonly namespace: string; readonly name: string } | undefined
  readonly namespaceSelector: LabelSelector
  readonly objectSelector: LabelSelector
}

export interface WebhookConfigurationView {
  readonly webhooks: readonly WebhookView[]
}

export interface CustomResourceView {
  readonly group: string
  readonly kind: string
}

export interface KubernetesGatewayView {
  readonly listeners: readonly { readonly hostname: string }[]
}

type Fields = Readonly<Record<string, unknown>>

export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {}
const list = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.map(fieldsOf) : [])
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const number = (value: unknown): number | undefined => (typeof value === 'number' && Number.isFinite(value) ? value : undefined)
const optionalText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** Labels, annotations, data: entries whose value is no text are left out. */
export function textsOf(value: unknown): Labels {
  return Object.fromEntries(Object.entries(fieldsOf(value)).flatMap(([key, one]) => (typeof one === 'string' ? [[key, one]] : [])))
}

export function podView(spec: unknown): PodView {
  const fields = fieldsOf(spec)
  return {
    containers: list(fields['containers']).map(containerView),
    initContainers: list(fields['initContainers']).map(containerView),
    hostNetwork: fields['hostNetwork'] === true,
    nodeName: text(fields['nodeName']),
    runAsUser: number(fieldsOf(fields['securityContext'])['runAsUser']),
  }
}

function containerView(fields: Fields): ContainerView {
  return {
    name: text(fields['name']),
    image: text(fields['image']),
    runAsUser: number(fieldsOf(fields['securityContext'])['runAsUser']),
    env: list(fields['env']).map((entry) => ({ name: text(entry['name']), value: text(entry['value']) })),
  }
}

export function deploymentView(spec: unknown): DeploymentView {
  const template = fieldsOf(fieldsOf(spec)['template'])
  const metadata = fieldsOf(template['metadata'])
  return { labels: textsOf(metadata['labels']), annotations: textsOf(metadata['annotations']), pod: podView(template['spec']) }
}

export function serviceView(spec: unknown): ServiceView {
  const fields = fieldsOf(spec)
  return {
    type: text(fields['type']),
    clusterIP: text(fields['clusterIP']),
    selector: textsOf(fields['selector']),
    ports: list(fields['ports']).map((port) => ({
      name: text(port['name']),
      port: number(port['port']) ?? 0,
      protocol: text(port['protocol']),
      appProtocol: optionalText(port['appProtocol']),
      targetPort: number(port['targetPort']) ?? optionalText(port['targetPort']),
    })),
  }
}

export function webhookConfigurationView(webhooks: unknown): WebhookConfigurationView {
  return { webhooks: list(webhooks).map(webhookView) }
}

function webhookView(fields: Fields): WebhookView {
  const client = fieldsOf(fields['clientConfig'])
  const service = client['service'] === undefined || client['service'] === null ? undefined : fieldsOf(client['service'])
  return {
    name: text(fields['name']),
    url: optionalText(client['url']),
    service: service && { namespace: text(service['namespace']), name: text(service['name']) },
    namespaceSelector: labelSelector(fields['namespaceSelector']),
    objectSelector: labelSelector(fields['objectSelector']),
  }
}

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const

/** One that is missing takes everything, as an empty one. */
function labelSelector(value: unknown): LabelSelector {
  const fields = fieldsOf(value)
  const matchExpressions = list(fields['matchExpressions']).flatMap((expression): LabelSelectorRequirement[] => {
    const operator = OPERATORS.find((one) => one === expression['operator'])
    const values = Array.isArray(expression['values']) ? expression['values'].filter((one): one is string => typeof one === 'string') : []
    return operator ? [{ key: text(expression['key']), operator, values }] : []
  })
  return { matchLabels: textsOf(fields['matchLabels']), matchExpressions }
}

export function customResourceView(spec: unknown): CustomResourceView {
  const fields = fieldsOf(spec)
  return { group: text(fields['group']), kind: text(fieldsOf(fields['names'])['kind']) }
}

export function kubernetesGatewayView(spec: unknown): KubernetesGatewayView {
  return { listeners: list(fieldsOf(spec)['listeners']).map((listener) => ({ hostname: text(listener['hostname']) })) }
}
