/** What is wrong with the objects of one file, as lines that name object, place and field. */
import { type KubeObject, type LocatedDiagnostic, type ParsedObject, parseDocuments, validate } from '@lateen/api'
import type { Severity } from '@lateen/base'
import type { InputFile } from '../../input/files.ts'
import { istioOperatorProblems } from './istio-operator.ts'
import { deploymentLabelProblems, servicePortProblems } from './kubernetes-objects.ts'

export interface ValidationProblem {
  readonly severity: Severity
  readonly text: string
}

export interface FieldProblem {
  readonly severity: Severity
  readonly path: string
  readonly message: string
}

/** Kinds whose checks do not depend on the version: these are made of files that leave it out, too. */
const IMPLIED_VERSIONS = new Map([
  ['Service', 'v1'],
  ['Deployment', 'apps/v1'],
])

export function problemsOfFile({ name, text }: InputFile, istioNamespace: string): ValidationProblem[] {
  const parsed = parseDocuments(text, name, IMPLIED_VERSIONS)
  return [
    ...parsed.diagnostics.map((diagnostic) => ({ severity: diagnostic.severity, text: textOf(diagnostic, name) })),
    ...parsed.objects.flatMap((one) => problemsOfObject(one, name, istioNamespace)),
  ]
}

/** What only a Kubernetes API server refuses is not for this check. */
const isShown = ({ severity }: LocatedDiagnostic): boolean => severity !== 'Info'

function textOf({ object, path, message, position }: LocatedDiagnostic, file: string): string {
  const place = position ? `${file}:${position.line}` : file
  const named = object.kind === '' ? '' : `${object.kind}/${object.namespace}/${object.name}: `
  return `${named}${path === '' ? '' : `${path}: `}${message} (${place})`
}

function problemsOfObject({ object, positionOf }: ParsedObject, file: string, istioNamespace: string): ValidationProblem[] {
  const ref = { kind: object.kind, namespace: object.metadata.namespace ?? '', name: object.metadata.name }
  const own = ownProblems(object, istioNamespace).map(({ severity, path, message }) => {
    const position = positionOf(path)
    return { severity, text: textOf({ code: '', severity, object: ref, path, message, ...(position && { position }) }, file) }
  })
  const ofApi = validate(object, { file, positions: positionOf }).filter(isShown)
  return [...ofApi.map((diagnostic) => ({ severity: diagnostic.severity, text: textOf(diagnostic, file) })), ...own]
}

/** Kinds that are not Istio's API but are written for a mesh. */
function ownProblems(object: KubeObject, istioNamespace: string): FieldProblem[] {
  switch (`${object.apiVersion} ${object.kind}`) {
    case 'v1 Service':
      return servicePortProblems(object, istioNamespace)
    case 'apps/v1 Deployment':
      return deploymentLabelProblems(object, istioNamespace)
    case 'install.istio.io/v1alpha1 IstioOperator':
      return istioOperatorProblems(object)
    default:
      return []
  }
}
