/** Texts of files → resources for analysis, and what in them cannot be read. */
import {
  type AnyResource,
  friendlyName,
  isSystemNamespace,
  isUnreadable,
  type KindName,
  type ReadProblem,
  readProblems,
  readResource,
} from '@lateen/analysis'
import { type LocatedDiagnostic, parseDocuments } from '@lateen/api'
import type { InputFile } from '../../input/files.ts'

export interface FileResources {
  readonly resources: readonly AnyResource[]
  /** `file:line: …` for what is left out. */
  readonly unreadable: readonly string[]
  /** `file:line: …` for fields that are overlooked. */
  readonly overlooked: readonly string[]
}

export interface FileOptions {
  /** The namespace of objects that name none. */
  readonly defaultNamespace: string
  /** Kinds that do not count in files. */
  readonly leaveOut: ReadonlySet<KindName>
}

export function readFileResources(files: readonly InputFile[], options: FileOptions): FileResources {
  const read = files.map((file) => readFile(file, options))
  return {
    resources: read.flatMap(({ resources }) => resources),
    unreadable: read.flatMap(({ unreadable }) => unreadable),
    overlooked: read.flatMap(({ overlooked }) => overlooked),
  }
}

function readFile({ name, text }: InputFile, { defaultNamespace, leaveOut }: FileOptions): FileResources {
  const parsed = parseDocuments(text, name)
  const found = parsed.objects.flatMap(({ object, positionOf }) => {
    const resource = readResource(object, { origin: { file: name, positionOf }, defaultNamespace })
    if (!resource || leaveOut.has(resource.kind) || isSystemNamespace(namespaceOf(resource))) return []
    return [{ resource, problems: readProblems(resource) }]
  })
  const problems = found.flatMap(({ resource, problems: own }) => own.map((problem) => ({ problem, text: problemText(resource, problem) })))
  return {
    resources: found.flatMap(({ resource, problems: own }) => (isUnreadable(own) ? [] : [resource])),
    unreadable: [
      ...parsed.diagnostics
        .filter(({ severity }) => severity === 'Error')
        .map((diagnostic) => `${placeOf(diagnostic, name)}: ${diagnostic.message}`),
      ...problems.flatMap(({ problem, text: words }) => (problem.fatal ? [words] : [])),
    ],
    overlooked: problems.flatMap(({ problem, text: words }) => (problem.fatal ? [] : [words])),
  }
}

const namespaceOf = (resource: AnyResource): string => (resource.kind === 'Namespace' ? resource.name : resource.namespace)

const placeOf = ({ position }: LocatedDiagnostic, file: string): string => (position ? `${file}:${position.line}` : file)

function problemText(resource: AnyResource, problem: ReadProblem): string {
  return `${placeOf(problem, resource.origin.file ?? '')}: ${friendlyName(resource)}: ${problem.path}: ${problem.message}`
}
