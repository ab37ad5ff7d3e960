/** Configuration objects from files, folders and standard input, with the lines on which they are written. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type KubeObject, type ParsedObject, parseDocuments } from '@lateen/api'
import { CommandError, EXIT } from '../shell/exit-codes.ts'

export interface FileObject {
  readonly object: KubeObject
  readonly file: string
  /** The line of a path in the object, else of the nearest part around it. */
  lineOf(path: string): number | undefined
}

const MOST_FILES = 10_000
const DEEPEST = 20
const YAML = /\.(ya?ml|json)$/

/** Kinds without a namespace. */
const CLUSTER_SCOPED: ReadonlySet<string> = new Set(['Namespace', 'Node', 'IngressClass', 'GatewayClass', 'CustomResourceDefinition'])

/**
 * Reads files, folders (their YAML and JSON files, folders below too) and `-` for standard input. Objects without a namespace are in
 * `namespace`.
 *
 * @throws CommandError when something cannot be read or is no configuration
 */
export function readObjects(paths: readonly string[], namespace: string): FileObject[] {
  const files = paths.flatMap((path) => (path === '-' ? [path] : listFiles(path, 0)))
  if (files.length > MOST_FILES) throw new CommandError(`more than ${MOST_FILES} files; name fewer`, { exitCode: EXIT.data })
  return files.flatMap((path) => objectsOf(path, namespace))
}

function listFiles(path: string, depth: number): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path]
    if (depth >= DEEPEST) return []
    return readdirSync(path, { withFileTypes: true })
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        if (entry.name.startsWith('.')) return []
        const below = join(path, entry.name)
        return entry.isDirectory() ? listFiles(below, depth + 1) : YAML.test(entry.name) ? [below] : []
      })
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

function objectsOf(path: string, namespace: string): FileObject[] {
  const file = path === '-' ? 'standard input' : path
  const { objects, diagnostics } = parseDocuments(readText(path), file)
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

/** The text of a file, or of standard input for `-`. @throws CommandError */
export function readText(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

function unreadable(path: string, cause: unknown): CommandError {
  const why = cause instanceof Error ? cause.message.replace(/^[A-Z]+: /, '') : String(cause)
  return new CommandError(`cannot read ${path}: ${why}`, { exitCode: EXIT.data, cause })
}
