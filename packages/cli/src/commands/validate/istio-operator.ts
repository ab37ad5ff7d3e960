/** IstioOperator, the file of an installation: fields that do not exist, and mesh configuration that cannot be used. */
import { type KubeObject, parseMeshConfig } from '@lateen/api'
import type { FieldProblem } from './problems.ts'

const TOP = ['apiVersion', 'kind', 'metadata', 'spec', 'status']
const SPEC = [
  'addonComponents',
  'compatibilityVersion',
  'components',
  'hub',
  'installPackagePath',
  'meshConfig',
  'namespace',
  'profile',
  'revision',
  'tag',
  'unvalidatedValues',
  'values',
]
const COMPONENTS = ['base', 'pilot', 'ingressGateways', 'egressGateways', 'cni', 'istiodRemote', 'ztunnel']

export function istioOperatorProblems(object: KubeObject): FieldProblem[] {
  const spec = object.spec ?? {}
  if (typeof spec !== 'object') return [{ severity: 'Error', path: 'spec', message: 'an object is needed' }]
  const fields = new Map<string, unknown>(Object.entries(spec))
  return [
    ...unknownFields(object, TOP, ''),
    ...unknownFields(spec, SPEC, 'spec'),
    ...unknownFields(fields.get('components'), COMPONENTS, 'spec.components'),
    ...(fields.has('meshConfig') ? meshConfigProblems(fields.get('meshConfig')) : []),
  ]
}

function unknownFields(value: unknown, known: readonly string[], path: string): FieldProblem[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.keys(value)
    .filter((field) => !known.includes(field))
    .map((field) => ({
      severity: 'Error',
      path: path === '' ? field : `${path}.${field}`,
      message: `unknown field; allowed here: ${known.join(', ')}`,
    }))
}

function meshConfigProblems(value: unknown): FieldProblem[] {
  return parseMeshConfig(value).diagnostics.map(({ severity, path, message }) => ({
    severity,
    path: path === '' ? 'spec.meshConfig' : `spec.meshConfig.${path}`,
    message,
  }))
}
