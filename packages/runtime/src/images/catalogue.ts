/**
 * Which local command stands for a container image.
 *
 * An image `registry.example/some/repository/name:tag@digest` is looked up with and without its registry, with as many leading path parts dropped as
 * it takes; an entry that names a tag matches that tag alone and goes before one that does not.
 */
import { readFileSync, statSync } from 'node:fs'
import { parse } from 'yaml'
import { BUILT_IN_IMAGES } from './built-in.ts'

export interface Image {
  /** The image as the catalogue names it. */
  readonly name: string
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly workingDir: string
  readonly user?: number
  /** Capabilities that it keeps, whatever the pod drops, where only one user id exists. */
  readonly oneUserCapabilities?: readonly string[]
}

/** An entry of `images.yaml`: the whole command, or its parts. */
export interface ImageEntry {
  readonly entrypoint?: readonly string[]
  readonly cmd?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly workingDir?: string
  readonly user?: number
  readonly oneUserCapabilities?: readonly string[]
}

export class UnknownImage extends Error {
  override readonly name = 'UnknownImage'
  readonly code = 'IMAGE_NOT_IN_CATALOGUE'
}

export class ImageFileError extends Error {
  override readonly name = 'ImageFileError'
  readonly code = 'IMAGES_FILE'
}

const MAX_FILE_BYTES = 1 << 20

export class ImageCatalogue {
  readonly #file: string | undefined
  readonly #own: ReadonlyMap<string, ImageEntry>
  #users: ReadonlyMap<string, ImageEntry> = new Map()
  #read: { readonly changed: number; readonly error?: ImageFileError } | undefined

  /** `file` is the user's own list; it is read again when it has changed, and need not exist. */
  constructor(file?: string, own: Readonly<Record<string, ImageEntry>> = BUILT_IN_IMAGES) {
    this.#file = file
    this.#own = new Map(Object.entries(own))
  }

  names(): string[] {
    this.#refresh()
    return [...new Set([...this.#own.keys(), ...this.#users.keys()])].sort()
  }

  /**
   * The command of an image.
   *
   * @throws UnknownImage naming the closest names of the catalogue
   * @throws ImageFileError when the user's file cannot be read
   */
  resolve(reference: string): Image {
    this.#refresh()
    for (const candidate of candidates(reference)) {
      const entry = this.#users.get(candidate) ?? this.#own.get(candidate)
      if (entry) return image(candidate, entry)
    }
    if (this.#read?.error) throw this.#read.error
    throw new UnknownImage(this.#unknown(reference))
  }

  #unknown(reference: string): string {
    const wanted = pathOf(reference)
    const close = this.names()
      .map((name) => ({ name, distance: nearness(wanted, name) }))
      .toSorted((a, b) => a.distance - b.distance || a.name.localeCompare(b.name))
      .slice(0, 4)
      .map(({ name }) => name)
    const where = this.#file ?? 'images.yaml'
    return `image ${JSON.stringify(reference)} is not in the image catalogue. The closest names are ${close.join(', ')}. Give it a command in ${where}, for example "${wanted}: {entrypoint: [/path/to/program]}"`
  }

  #refresh(): void {
    if (!this.#file) return
    let changed: number
    try {
      changed = statSync(this.#file).mtimeMs
    } catch {
      this.#users = new Map()
      this.#read = undefined
      return
    }
    if (this.#read?.changed === changed) return
    try {
      this.#users = readImageFile(this.#file)
      this.#read = { changed }
    } catch (error) {
      // The last good list stays in force.
      this.#read = { changed, error: error instanceof ImageFileError ? error : new ImageFileError(String(error)) }
    }
  }
}

/** Reads `name: command text`, `name: [words]` or `name: {entrypoint, cmd, env, workingDir, user}`. */
export function readImageFile(file: string): Map<string, ImageEntry> {
  const text = readFileSync(file, 'utf8')
  if (text.length > MAX_FILE_BYTES) throw new ImageFileError(`${file} is larger than ${MAX_FILE_BYTES} bytes`)
  let content: unknown
  try {
    content = parse(text, { maxAliasCount: 20 }) ?? {}
  } catch (error) {
    throw new ImageFileError(`${file}: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw new ImageFileError(`${file} must be a map of image name to command`)
  return new Map(
    Object.entries(content).map(([name, value]) => [name.replace(/^docker\.io\/(library\/)?/, ''), entryOf(file, name, value)]),
  )
}

const FIELDS = ['entrypoint', 'cmd', 'env', 'workingDir', 'user']

function entryOf(file: string, name: string, value: unknown): ImageEntry {
  const wrong = (what: string) => new ImageFileError(`${file}: ${name}: ${what}`)
  if (typeof value === 'string') return { entrypoint: ['/bin/sh', '-c', `exec ${value} "$@"`, 'sh'] }
  if (isWords(value)) return { entrypoint: value }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong('must be a command, a list of words, or a map with entrypoint')
  const unknown = Object.keys(value).find((field) => !FIELDS.includes(field))
  if (unknown) throw wrong(`${unknown} is not known; allowed are ${FIELDS.join(', ')}`)
  const { entrypoint, cmd, env, workingDir, user } = value as Record<string, unknown>
  if (entrypoint !== undefined && !isWords(entrypoint)) throw wrong('entrypoint must be a list of words')
  if (cmd !== undefined && !isWords(cmd)) throw wrong('cmd must be a list of words')
  if (entrypoint === undefined && cmd === undefined) throw wrong('needs entrypoint or cmd')
  if (env !== undefined && !isTexts(env)) throw wrong('env must be a map of texts')
  if (workingDir !== undefined && !(typeof workingDir === 'string' && workingDir.startsWith('/')))
    throw wrong('workingDir must be an absolute path')
  if (user !== undefined && !(typeof user === 'number' && Number.isInteger(user) && user >= 0)) throw wrong('user must be a number from 0')
  return {
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(cmd === undefined ? {} : { cmd }),
    ...(env === undefined ? {} : { env }),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(user === undefined ? {} : { user }),
  }
}

const isWords = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === 'string')

function isTexts(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string')
}

function image(name: string, entry: ImageEntry): Image {
  return {
    name,
    entrypoint: entry.entrypoint ?? [],
    cmd: entry.cmd ?? [],
    env: entry.env ?? {},
    workingDir: entry.workingDir ?? '/',
    ...(entry.user === undefined ? {} : { user: entry.user }),
    ...(entry.oneUserCapabilities === undefined ? {} : { oneUserCapabilities: entry.oneUserCapabilities }),
  }
}

interface Reference {
  readonly path: string
  readonly tag: string | undefined
}

function parseReference(reference: string): Reference {
  const withoutDigest = reference.split('@')[0] ?? ''
  const colon = withoutDigest.lastIndexOf(':')
  // A colon before a slash is the port of a registry.
  if (colon < 0 || withoutDigest.indexOf('/', colon) >= 0) return { path: withoutDigest, tag: undefined }
  return { path: withoutDigest.slice(0, colon), tag: withoutDigest.slice(colon + 1) }
}

function pathOf(reference: string): string {
  const { path } = parseReference(reference)
  const [first = '', ...rest] = path.split('/')
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? rest.join('/') : path
}

/** From the most to the least exact name. */
function candidates(reference: string): string[] {
  const { path, tag } = parseReference(reference)
  const parts = path.split('/')
  const names: string[] = []
  for (let drop = 0; drop < parts.length && drop < 8; drop++) {
    const name = parts.slice(drop).join('/')
    if (tag) names.push(`${name}:${tag}`)
    names.push(name)
  }
  return names
}

/** Smaller is closer: a shared last part counts more than few different letters. */
function nearness(wanted: string, name: string): number {
  const last = (text: string) => text.split('/').at(-1) ?? text
  const contained = last(name).includes(last(wanted)) || last(wanted).includes(last(name)) ? 0 : 100
  return contained + editDistance(wanted.slice(0, 128), name)
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitute = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, substitute))
    }
    previous = row
  }
  return previous[b.length] ?? 0
}
