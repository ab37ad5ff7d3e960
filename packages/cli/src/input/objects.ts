/** Configuration objects from files, folders and standard input, with the lines on which they are written. */
import { type KubeObject, type ParsedObject, parseDocuments } from '@lateen/api'
import { CommandError, EXIT } from '../shell/exit-codes.ts'
import { type InputFile, readInputFiles } from './files.ts'

export interface FileObject {
  readonly object: KubeObject
  readonly file: string
  /** The line of a path in the object, else of the nearest part around it. */
  lineOf(path: string): number | undefined
}

/** Kinds without a namespace. */
const CLUSTER_SCOPED: ReadonlySet<string> = new Set(['Namespace', 'Node', 'IngressClass', 'GatewayClass', 'CustomResourceDefinition'])

/**
 * Reads files, folders (their YAML and JSON files, folders below too) and `-` for standard input. Objects without a namespace are in
 * `namespace`.
 *
 * @throws CommandError when something cannot be read or is no configuration
 */
export function readObjects(paths: readonly string[], namespace: string): FileObject[] {
  const { files } = readInputFiles(paths, { recursive: true, anyExtension: true })
  return files.flatMap((file) => objectsOf(file, namespace))
}

function objectsOf({ name, text }: InputFile, namespace: string): FileObject[] {
  const file = name === '-' ? 'standard input' : name
  const { objects, diagnostics } = parseDocuments(text, file)
  const wrong = diagnostics.find(({ severity }) => severity === 'Error')
  if (wrong) throw new CommandError(`${file}${wrong.position ? `:${wrong.position.line}` : ''}: ${wrong.message}`, { exitCode: EXIT.data })
  return objects.map((parsed) => located(parsed, file, namespace))
}

function located({ object, positionOf }: ParsedObject, file: string, namespace: string): FileObject {
  const scoped = CLUSTER_SCOPED.has(object.kind)
  return {
    object: scoped ? object : { ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? namespace } },
    file,
    lineOf: (path) => positionOf(path)?.line,
  }
}
