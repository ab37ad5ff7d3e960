/** What the relay reads of the messages that pass through it. Resources stay as they came, with all their fields. */
import { fieldSize, textSize, WireReader, WireWriter } from '../protocol/wire.ts'

/** One entry of a response: a whole Resource message (with version, name, aliases and body). */
export interface RawResource {
  readonly name: string
  readonly version: string
  readonly raw: Buffer
  /** Whether it has a body; an entry without one says that there is no such resource. */
  readonly present: boolean
}

export interface RawResponse {
  readonly typeUrl: string
  readonly nonce: string
  readonly resources: readonly RawResource[]
  readonly removed: readonly string[]
}

/** @throws WireError */
export function readRawResponse(buffer: Buffer): RawResponse {
  let typeUrl = ''
  let nonce = ''
  const resources: RawResource[] = []
  const removed: string[] = []
  const reader = new WireReader(buffer)
  while (reader.next()) {
    if (reader.field === 2) resources.push(readRawResource(reader.bytes()))
    else if (reader.field === 4) typeUrl = reader.text()
    else if (reader.field === 5) nonce = reader.text()
    else if (reader.field === 6) removed.push(reader.text())
  }
  return { typeUrl, nonce, resources, removed }
}

/** @throws WireError */
export function readRawResource(raw: Buffer): RawResource {
  let name = ''
  let version = ''
  let present = false
  const reader = new WireReader(raw)
  while (reader.next()) {
    if (reader.field === 1) version = reader.text()
    else if (reader.field === 2) present = true
    else if (reader.field === 3) name = reader.text()
  }
  return { name, version, raw, present }
}

/** Encodes a DeltaDiscoveryResponse of entries as they came. */
export function writeRawResponse(response: RawResponse): Buffer {
  let size = textSize(response.typeUrl) + textSize(response.nonce)
  for (const { raw } of response.resources) size += fieldSize(raw.length)
  for (const name of response.removed) size += textSize(name)
  const writer = new WireWriter(size)
  for (const { raw } of response.resources) writer.bytes(2, raw)
  writer.text(4, response.typeUrl)
  writer.text(5, response.nonce)
  for (const name of response.removed) writer.text(6, name)
  return writer.buffer
}
