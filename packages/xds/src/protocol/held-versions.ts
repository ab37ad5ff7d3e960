/**
 * What a client says it holds when it comes back: thousands of names with versions, which almost always are exactly what it should
 * hold. A fingerprint of the bytes tells that without making a single string of them.
 */
import { fieldSize, WireReader, WireWriter } from './wire.ts'

/** Independent of order; two lanes of 32 bits. Equal entries have equal fingerprints on both sides of a comparison. */
export interface Fingerprint {
  readonly count: number
  readonly low: number
  readonly high: number
}

/** The `initial_resource_versions` of a request, as they came. */
export class HeldVersions {
  static readonly NONE = new HeldVersions([])
  readonly #entries: readonly Buffer[]

  /** @param entries encoded map entries, `{ name = 1, version = 2 }` */
  constructor(entries: readonly Buffer[]) {
    this.#entries = entries
  }

  static of(versions: ReadonlyMap<string, string>): HeldVersions {
    return new HeldVersions(Array.from(versions, ([name, version]) => encodeEntry(name, version)))
  }

  get size(): number {
    return this.#entries.length
  }

  fingerprint(): Fingerprint {
    return fingerprintOf(this.#entries)
  }

  /** @throws WireError */
  toMap(): Map<string, string> {
    return new Map(this.#entries.map(readEntry))
  }
}

/** The fingerprint that a client's entries have when it holds exactly this. */
export function fingerprintOfVersions(resources: Iterable<{ readonly name: string; readonly version: string }>): Fingerprint {
  const entries: Buffer[] = []
  for (const { name, version } of resources) entries.push(encodeEntry(name, version))
  return fingerprintOf(entries)
}

export function sameFingerprint(a: Fingerprint, b: Fingerprint): boolean {
  return a.count === b.count && a.low === b.low && a.high === b.high
}

/** The fingerprint of all together. */
export function sumOf(parts: readonly Fingerprint[]): Fingerprint {
  const sum = { count: 0, low: 0, high: 0 }
  for (const { count, low, high } of parts) {
    sum.count += count
    sum.low = (sum.low + low) | 0
    sum.high = (sum.high + high) | 0
  }
  return sum
}

function fingerprintOf(entries: readonly Buffer[]): Fingerprint {
  let low = 0
  let high = 0
  for (const entry of entries) {
    let a = 0x811c9dc5
    let b = 0x9e3779b9
    for (let i = 0; i < entry.length; i++) {
      const byte = entry[i] ?? 0
      a = Math.imul(a ^ byte, 0x01000193)
      b = Math.imul(b + byte, 0x85ebca6b) ^ (b >>> 15)
    }
    low = (low + a) | 0
    high = (high + b) | 0
  }
  return { count: entries.length, low, high }
}

function encodeEntry(name: string, version: string): Buffer {
  const nameLength = Buffer.byteLength(name)
  const versionLength = Buffer.byteLength(version)
  const writer = new WireWriter(fieldSize(nameLength) + fieldSize(versionLength))
  writer.text(1, name)
  writer.text(2, version)
  return writer.buffer
}

function readEntry(entry: Buffer): [string, string] {
  const reader = new WireReader(entry)
  let name = ''
  let version = ''
  while (reader.next()) {
    if (reader.field === 1) name = reader.text()
    else if (reader.field === 2) version = reader.text()
  }
  return [name, version]
}
