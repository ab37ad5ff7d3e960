/** The Node message: read into plain values with bounds on size and depth, because it comes before anything is known of the sender. */
import type { XdsNode } from '../resource-source.ts'
import { BYTES, FIXED64, VARINT, WireError, WireReader } from './wire.ts'

export interface NodeLimits {
  /** Most bytes of a Node message. */
  readonly maxBytes: number
  /** Deepest nesting of its metadata. */
  readonly maxDepth: number
}

/** @throws WireError when the message is broken, too large or too deep */
export function readNode(buffer: Buffer, limits: NodeLimits): XdsNode {
  if (buffer.length > limits.maxBytes)
    throw new WireError(`the node is ${buffer.length} bytes long; at most ${limits.maxBytes} are allowed`)
  const node = { id: '', cluster: '', userAgentName: '', userAgentVersion: '' }
  let metadata: Record<string, unknown> = {}
  let locality = { region: '', zone: '', subZone: '' }
  const reader = new WireReader(buffer)
  while (reader.next()) {
    if (reader.field === 1) node.id = reader.text()
    else if (reader.field === 2) node.cluster = reader.text()
    else if (reader.field === 3) metadata = readStruct(reader.message(), limits.maxDepth)
    else if (reader.field === 4) locality = readLocality(reader.message())
    else if (reader.field === 6) node.userAgentName = reader.text()
    else if (reader.field === 7) node.userAgentVersion = reader.text()
    else if (reader.field === 8) node.userAgentVersion = readBuildVersion(reader.message()) || node.userAgentVersion
  }
  return { ...node, metadata, locality }
}

function readLocality(reader: WireReader) {
  const locality = { region: '', zone: '', subZone: '' }
  while (reader.next()) {
    if (reader.field === 1) locality.region = reader.text()
    else if (reader.field === 2) locality.zone = reader.text()
    else if (reader.field === 3) locality.subZone = reader.text()
  }
  return locality
}

// BuildVersion { SemanticVersion version = 1 { uint32 major = 1, minor = 2, patch = 3 } }
function readBuildVersion(reader: WireReader): string {
  const numbers = [0, 0, 0]
  let found = false
  while (reader.next()) {
    if (reader.field !== 1) continue
    found = true
    const version = reader.message()
    while (version.next()) {
      if (version.type === VARINT && version.field >= 1 && version.field <= 3) numbers[version.field - 1] = version.value
    }
  }
  return found ? numbers.join('.') : ''
}

function readStruct(reader: WireReader, depth: number): Record<string, unknown> {
  if (depth <= 0) throw new WireError('the node metadata is nested too deeply')
  // Without a prototype, so that a key such as __proto__ is only a key.
  const result: Record<string, unknown> = Object.create(null)
  while (reader.next()) {
    if (reader.field !== 1) continue
    let key = ''
    let value: unknown = null
    const entry = reader.message()
    while (entry.next()) {
      if (entry.field === 1) key = entry.text()
      else if (entry.field === 2) value = readValue(entry.message(), depth - 1)
    }
    result[key] = value
  }
  return result
}

function readValue(reader: WireReader, depth: number): unknown {
  if (depth <= 0) throw new WireError('the node metadata is nested too deeply')
  let result: unknown = null
  while (reader.next()) {
    if (reader.field === 2 && reader.type === FIXED64) result = reader.buffer.readDoubleLE(reader.start)
    else if (reader.field === 3) result = reader.text()
    else if (reader.field === 4 && reader.type === VARINT) result = reader.value !== 0
    else if (reader.field === 5 && reader.type === BYTES) result = readStruct(reader.message(), depth - 1)
    else if (reader.field === 6 && reader.type === BYTES) result = readList(reader.message(), depth - 1)
  }
  return result
}

function readList(reader: WireReader, depth: number): unknown[] {
  const result: unknown[] = []
  while (reader.next()) if (reader.field === 1) result.push(readValue(reader.message(), depth))
  return result
}
