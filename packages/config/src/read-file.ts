/** Objects of one configuration file, or what is wrong with it. */
import { type KubeObject, type LocatedDiagnostic, parseDocuments, validate } from '@lateen/api'
import { formatDiagnostic } from '@lateen/base'

export interface LocatedObject {
  readonly object: KubeObject
  readonly line: number
}

/** Something in a file that cannot be used; `file:line: message` names it. */
export interface FileProblem {
  readonly file: string
  /** From 1; 0 for the file as a whole. */
  readonly line: number
  readonly message: string
}

export const formatProblem = (problem: FileProblem): string =>
  `${problem.file}${problem.line ? `:${problem.line}` : ''}: ${problem.message}`

const MAX_PROBLEMS = 50

/** Reads and checks all documents of a text; what Istio's webhook would refuse is a problem as well. */
export function readConfigFile(text: string, file: string): { objects: LocatedObject[]; problems: FileProblem[] } {
  const parsed = parseDocuments(text, file)
  const checked = parsed.objects.flatMap(({ object, positionOf }) => validate(object, { file, positions: positionOf }))
  const problems = [...parsed.diagnostics, ...checked].filter(({ severity }) => severity === 'Error').slice(0, MAX_PROBLEMS)
  return {
    objects: parsed.objects.map(({ object, positionOf }) => ({ object, line: positionOf('')?.line ?? 0 })),
    problems: problems.map((diagnostic) => problemOf(diagnostic, file)),
  }
}

function problemOf(diagnostic: LocatedDiagnostic, file: string): FileProblem {
  const named = diagnostic.object.kind !== '' && diagnostic.object.name !== ''
  return { file, line: diagnostic.position?.line ?? 0, message: named ? formatDiagnostic(diagnostic) : diagnostic.message }
}
