/**
 * The last accepted resources of a proxy, by type and name, in memory and on disk, so that a proxy that starts while the control
 * plane is away still gets its configuration.
 *
 * The file is one protobuf message: version = 1 (text), type = 2 { typeUrl = 1, raw Resource = 2 … }, and after it 32 bytes of
 * SHA-256. It is replaced as a whole, by renaming, so a crash leaves the old one or the new one.
 */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { logger } from '@lateen/base'
import { fieldSize, textSize, WireReader, WireWriter } from '../protocol/wire.ts'
import { type RawResource, readRawResource } from './relay-messages.ts'

const log = logger('xdsproxy')

const FORMAT = 'lateen-xds-cache-1'
const DIGEST_BYTES = 32

export interface RelayCacheOptions {
  /** Where the file is; without it, nothing is kept on disk. */
  readonly file?: string
  /** Largest file, in bytes; what is larger stays in memory only. */
  readonly maxBytes?: number
  /** How long changes are gathered before they are written, in milliseconds. */
  readonly settleMs?: number
  /** Types that never reach the disk, such as secrets with private keys. */
  readonly memoryOnly?: ReadonlySet<string>
}

export class RelayCache {
  readonly #options: Required<Omit<RelayCacheOptions, 'file'>> & { readonly file: string | undefined }
  readonly #types = new Map<string, Map<string, RawResource>>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  #tooLarge = false

  constructor(options: RelayCacheOptions = {}) {
    const { file, maxBytes = 64 << 20, settleMs = 1000, memoryOnly = new Set() } = options
    this.#options = { file, maxBytes, settleMs, memoryOnly }
  }

  /** Reads the file, if there is one that is whole; otherwise starts empty and says why. */
  async load(): Promise<void> {
    const { file } = this.#options
    if (!file) return
    try {
      this.#decode(await readFile(file))
    } catch (error) {
      if (isMissing(error)) return
      this.#types.clear()
      log.warn('the saved configuration cannot be used and is left aside; the proxy waits for the control plane', { file, error })
    }
  }

  /** Resources of a type, by name; `undefined` when nothing was ever accepted of it. */
  get(typeUrl: string): ReadonlyMap<string, RawResource> | undefined {
    return this.#types.get(typeUrl)
  }

  put(typeUrl: string, changed: readonly RawResource[], removed: readonly string[]): void {
    let type = this.#types.get(typeUrl)
    if (!type) this.#types.set(typeUrl, (type = new Map()))
    for (const resource of changed) {
      if (resource.present) type.set(resource.name, resource)
      else type.delete(resource.name)
    }
    for (const name of removed) type.delete(name)
    this.#changed()
  }

  /** Drops what is not to be kept of a type. */
  keepOnly(typeUrl: string, keep: (name: string) => boolean): void {
    const type = this.#types.get(typeUrl)
    let dropped = false
    for (const name of type?.keys() ?? []) if (!keep(name)) dropped = type?.delete(name) || dropped
    if (dropped) this.#changed()
  }

  /** Writes what is still to be written. */
  async close(): Promise<void> {
    if (this.#timer) {
      clearTimeout(this.#timer)
      this.#save()
    }
    await this.#writing
  }

  #changed(): void {
    if (!this.#options.file) return
    this.#timer ??= setTimeout(() => this.#save(), this.#options.settleMs).unref()
  }

  #save(): void {
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#write())
  }

  async #write(): Promise<void> {
    const { file, maxBytes } = this.#options
    if (!file) return
    const image = this.#encode(maxBytes)
    if (!image) {
      if (!this.#tooLarge) log.warn('the configuration is too large to be saved; a restart needs the control plane', { file, maxBytes })
      this.#tooLarge = true
      return
    }
    this.#tooLarge = false
    const temporary = `${file}.${process.pid}.tmp`
    try {
      await mkdir(dirname(file), { recursive: true })
      await writeFile(temporary, image, { mode: 0o600, flush: true })
      await rename(temporary, file)
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined)
      log.warn('the configuration could not be saved; a restart needs the control plane', { file, error })
    }
  }

  #encode(maxBytes: number): Buffer | undefined {
    const types = [...this.#types].filter(([typeUrl]) => !this.#options.memoryOnly.has(typeUrl))
    const sizes = types.map(([typeUrl, resources]) => {
      let size = textSize(typeUrl)
      for (const { raw } of resources.values()) size += fieldSize(raw.length)
      return size
    })
    const size = textSize(FORMAT) + sizes.reduce((sum, length) => sum + fieldSize(length), 0)
    if (size > maxBytes) return undefined
    const writer = new WireWriter(size + DIGEST_BYTES)
    writer.text(1, FORMAT)
    types.forEach(([typeUrl, resources], i) => {
      writer.header(2, sizes[i] ?? 0)
      writer.text(1, typeUrl)
      for (const { raw } of resources.values()) writer.bytes(2, raw)
    })
    writer.buffer.set(createHash('sha256').update(writer.buffer.subarray(0, size)).digest(), size)
    return writer.buffer
  }

  #decode(image: Buffer): void {
    const size = image.length - DIGEST_BYTES
    const digest = createHash('sha256')
      .update(image.subarray(0, Math.max(0, size)))
      .digest()
    if (size <= 0 || !digest.equals(image.subarray(size))) throw new Error('its checksum does not match')
    const reader = new WireReader(image, 0, size)
    let format = ''
    while (reader.next()) {
      if (reader.field === 1) format = reader.text()
      else if (reader.field === 2 && format === FORMAT) this.#decodeType(reader.message())
    }
    if (format !== FORMAT) throw new Error('it was written by another version')
  }

  #decodeType(reader: WireReader): void {
    const resources = new Map<string, RawResource>()
    let typeUrl = ''
    while (reader.next()) {
      if (reader.field === 1) typeUrl = reader.text()
      else if (reader.field === 2) {
        const resource = readRawResource(reader.bytes())
        resources.set(resource.name, resource)
      }
    }
    this.#types.set(typeUrl, resources)
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
