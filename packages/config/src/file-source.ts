/**
 * Configuration from a folder of YAML files (`--configDir`), followed as the files change. A file that cannot be used keeps what it
 * said before, and the problem is reported with file and line.
 */
import { type FSWatcher, watch } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { logger } from '@lateen/base'
import { type ConfigChange, type ConfigSink, type ConfigSource, changeKey } from './change.ts'
import { type FileProblem, formatProblem, type LocatedObject, readConfigFile } from './read-file.ts'

export interface FileSourceOptions {
  readonly directory: string
  /** Between two looks at the folder, for file systems without notification. Default 2 s. */
  readonly pollMs?: number
}

export interface FileSource extends ConfigSource {
  /** What is wrong now, by file and line. */
  problems(): readonly FileProblem[]
}

const log = logger('config')
const MAX_FILE_BYTES = 16 << 20
const MAX_FILES = 10_000
const SETTLE_MS = 20

export function fileSource(options: FileSourceOptions): FileSource {
  return new FolderSource(options)
}

interface KnownFile {
  /** Changes when the file changes. */
  readonly signature: string
  readonly objects: readonly LocatedObject[]
  readonly problems: readonly FileProblem[]
}

class FolderSource implements FileSource {
  readonly synced: Promise<void>
  readonly #options: FileSourceOptions
  #files = new Map<string, KnownFile>()
  #told = new Map<string, KubeObject>()
  #duplicates: readonly FileProblem[] = []
  #sink: ConfigSink | undefined
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined
  #scanning: Promise<void> | undefined
  #again = false
  #error: string | undefined
  #markSynced: () => void = () => undefined

  constructor(options: FileSourceOptions) {
    this.#options = options
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve
    })
  }

  start(sink: ConfigSink): void {
    this.#sink = sink
    this.#notice()
    this.#scan()
  }

  stop(): void {
    this.#sink = undefined
    this.#watcher?.close()
    clearTimeout(this.#timer)
  }

  problems(): readonly FileProblem[] {
    return [...[...this.#files.values()].flatMap((file) => file.problems), ...this.#duplicates]
  }

  objects(): Iterable<KubeObject> {
    return this.#told.values()
  }

  status() {
    const error = this.#error ?? this.problems().map(formatProblem)[0]
    return [
      { name: this.#options.directory, state: this.#sink ? 'watching' : 'stopped', objects: this.#told.size, ...(error ? { error } : {}) },
    ]
  }

  #notice(): void {
    try {
      this.#watcher = watch(this.#options.directory, { recursive: true }, () => this.#later(SETTLE_MS))
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch {
      // No notification here: polling finds changes as well, only later.
    }
  }

  #later(milliseconds: number): void {
    if (!this.#sink) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#scan(), milliseconds)
  }

  #scan(): void {
    if (this.#scanning) {
      this.#again = true
      return
    }
    this.#scanning = this.#read()
      .then(
        () => {
          this.#error = undefined
        },
        (error: unknown) => {
          const message = error instanceof Error ? error.message : String(error)
          if (message !== this.#error)
            log.error(`cannot read the configuration folder ${this.#options.directory}: ${message}; keeping what was read before`)
          this.#error = message
        },
      )
      .finally(() => {
        this.#scanning = undefined
        this.#later(this.#again ? SETTLE_MS : (this.#options.pollMs ?? 2_000))
        this.#again = false
      })
  }

  async #read(): Promise<void> {
    const paths = await listFiles(this.#options.directory)
    const files = new Map<string, KnownFile>()
    let changed = paths.length !== this.#files.size
    for (const path of paths) {
      const known = this.#files.get(path)
      const file = await this.#readFile(path, known)
      if (!file) continue
      changed ||= file !== known
      files.set(path, file)
    }
    this.#files = files
    if (changed) this.#publish()
    this.#markSynced()
  }

  async #readFile(path: string, known: KnownFile | undefined): Promise<KnownFile | undefined> {
    const name = relative(process.cwd(), path).startsWith('..') ? path : relative(process.cwd(), path)
    try {
      const { mtimeMs, size, ino } = await stat(path)
      const signature = `${ino}:${size}:${mtimeMs}`
      if (known?.signature === signature) return known
      if (size > MAX_FILE_BYTES)
        return bad(signature, known, [{ file: name, line: 0, message: `the file is larger than ${MAX_FILE_BYTES} bytes` }])
      const { objects, problems } = readConfigFile(await readFile(path, 'utf8'), name)
      return problems.length > 0 ? bad(signature, known, problems) : { signature, objects: objects.map(inNamespace), problems: [] }
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      return bad('', known, [{ file: name, line: 0, message: error instanceof Error ? error.message : String(error) }])
    }
  }

  #publish(): void {
    const objects = new Map<string, KubeObject>()
    const duplicates: FileProblem[] = []
    for (const [path, file] of this.#files) {
      for (const { object, line } of file.objects) {
        const key = changeKey(object)
        if (!objects.has(key)) objects.set(key, object)
        else
          duplicates.push({
            file: path,
            line,
            message: `${object.kind} ${object.metadata.name} is already in another place of the folder; this one is not used`,
          })
      }
    }
    if (!isDeepStrictEqual(duplicates, this.#duplicates)) for (const problem of duplicates) log.warn(formatProblem(problem))
    this.#duplicates = duplicates
    const changes: ConfigChange[] = []
    for (const [key, object] of objects) {
      if (!isDeepStrictEqual(this.#told.get(key), object)) changes.push({ operation: 'set', object })
    }
    for (const [key, object] of this.#told) if (!objects.has(key)) changes.push({ operation: 'delete', object })
    this.#told = objects
    if (changes.length > 0) this.#sink?.(changes)
  }
}

/** A file that cannot be used: says so once, and keeps its last good objects. */
function bad(signature: string, known: KnownFile | undefined, problems: readonly FileProblem[]): KnownFile {
  if (known && known.signature === signature && isDeepStrictEqual(known.problems, problems)) return known
  for (const problem of problems)
    log.error(`${formatProblem(problem)}${known?.objects.length ? '; the objects last read from this file stay in force' : ''}`)
  return { signature, objects: known?.objects ?? [], problems }
}

const CLUSTER_SCOPED = new Set(
  Object.values(RESOURCE_TYPES).flatMap(({ group, kind, namespaced }) => (namespaced ? [] : [`${group}/${kind}`])),
)

/** As kubectl would put it: an object without namespace belongs to `default`. */
function inNamespace(located: LocatedObject): LocatedObject {
  const { object } = located
  const slash = object.apiVersion.indexOf('/')
  const isClusterScoped = CLUSTER_SCOPED.has(`${slash < 0 ? '' : object.apiVersion.slice(0, slash)}/${object.kind}`)
  if (object.metadata.namespace || isClusterScoped) return located
  return { ...located, object: { ...object, metadata: { ...object.metadata, namespace: 'default' } } }
}

async function listFiles(directory: string): Promise<string[]> {
  const paths: string[] = []
  const visit = async (folder: string, depth: number): Promise<void> => {
    if (depth > 16) return
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      // Kubernetes mounts a ConfigMap as links into a hidden folder, which would be found twice.
      if (entry.name.startsWith('.')) continue
      const path = join(folder, entry.name)
      if (entry.isDirectory()) await visit(path, depth + 1)
      else if (/\.(ya?ml|json)$/.test(entry.name) && paths.length < MAX_FILES) paths.push(path)
    }
  }
  await visit(directory, 0)
  return paths.sort()
}
