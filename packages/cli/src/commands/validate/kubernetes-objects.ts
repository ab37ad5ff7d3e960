/** What a mesh needs of Services and Deployments: ports that tell their protocol, labels that telemetry goes by. */
import type { KubeObject } from '@lateen/api'
import { parseProtocol } from '@lateen/model'
import type { FieldProblem } from './problems.ts'

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {}

const FORM = 'name it <protocol>[-suffix], for example http-web, or set appProtocol'

/** The control plane's own services are named as it needs them. */
export function servicePortProblems({ metadata, spec }: KubeObject, istioNamespace: string): FieldProblem[] {
  const { ports } = fieldsOf(spec)
  if (metadata.namespace === istioNamespace || !Array.isArray(ports)) return []
  return ports.flatMap((port, i): FieldProblem[] => {
    const message = portProblem(fieldsOf(port))
    return message === undefined ? [] : [{ severity: 'Error', path: `spec.ports[${i}]`, message }]
  })
}

function portProblem({ name, protocol, appProtocol }: Fields): string | undefined {
  if (typeof protocol === 'string' && protocol.toUpperCase() === 'UDP') return undefined
  if (typeof appProtocol === 'string') {
    return isProtocol(appProtocol) ? undefined : `found appProtocol "${appProtocol}", which is no protocol of a mesh`
  }
  if (typeof name !== 'string' || name === '') return `the port has no name, so its protocol has to be guessed; ${FORM}`
  return isProtocol(name.split('-', 1)[0] ?? '') || name.startsWith('grpc-web')
    ? undefined
    : `found the port name "${name}", which tells no protocol; ${FORM}`
}

const isProtocol = (text: string): boolean => parseProtocol(text) !== 'auto'

const LABELS = ['app', 'version']

export function deploymentLabelProblems({ metadata, spec }: KubeObject, istioNamespace: string): FieldProblem[] {
  if (metadata.namespace === istioNamespace) return []
  const labels = fieldsOf(fieldsOf(fieldsOf(fieldsOf(spec)['template'])['metadata'])['labels'])
  return LABELS.filter((label) => !(label in labels)).map((label) => ({
    severity: 'Info',
    path: 'spec.template.metadata.labels',
    message: `the label ${label} is missing, so telemetry of the deployment lacks it`,
  }))
}
