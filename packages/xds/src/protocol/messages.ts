/** The discovery messages: DeltaDiscoveryRequest/-Response and DiscoveryRequest/-Response, read and written at the wire level. */
import { HeldVersions } from './held-versions.ts'
import { fieldSize, textSize, VARINT, WireReader, WireWriter } from './wire.ts'

/** google.rpc.Status: why a response was refused. */
export interface ErrorDetail {
  readonly code: number
  readonly message: string
}

export interface DeltaRequest {
  readonly typeUrl: string
  /** The Node message as it came, on the first request of a stream. */
  readonly node: Buffer | undefined
  readonly subscribe: readonly string[]
  readonly unsubscribe: readonly string[]
  /** What the client holds from an earlier stream: name → version. */
  readonly initialVersions: HeldVersions
  readonly nonce: string
  readonly error: ErrorDetail | undefined
}

export interface SotwRequest {
  readonly typeUrl: string
  readonly node: Buffer | undefined
  readonly names: readonly string[]
  readonly version: string
  readonly nonce: string
  readonly error: ErrorDetail | undefined
}

/** One resource in a delta response. `bytes` is the resource message; absent when the server says that there is none. */
export interface DeltaResource {
  readonly name: string
  readonly version: string
  readonly bytes?: Uint8Array
  readonly aliases?: readonly string[]
}

export interface DeltaResponse {
  readonly typeUrl: string
  readonly nonce: string
  readonly systemVersion: string
  readonly resources: readonly DeltaResource[]
  readonly removed: readonly string[]
}

export interface SotwResponse {
  readonly typeUrl: string
  readonly nonce: string
  readonly version: string
  readonly resources: readonly { readonly typeUrl: string; readonly bytes: Uint8Array }[]
  /** What the control plane calls itself; empty for nothing. */
  readonly identifier: string
}

/** @throws WireError */
export function readDeltaRequest(buffer: Buffer): DeltaRequest {
  let typeUrl = ''
  let node: Buffer | undefined
  const subscribe: string[] = []
  const unsubscribe: string[] = []
  const held: Buffer[] = []
  let nonce = ''
  let error: ErrorDetail | undefined
  const reader = new WireReader(buffer)
  while (reader.next()) {
    if (reader.field === 1) node = reader.bytes()
    else if (reader.field === 2) typeUrl = reader.text()
    else if (reader.field === 3) subscribe.push(reader.text())
    else if (reader.field === 4) unsubscribe.push(reader.text())
    else if (reader.field === 5) held.push(reader.bytes())
    else if (reader.field === 6) nonce = reader.text()
    else if (reader.field === 7) error = readError(reader.message())
  }
  return {
    typeUrl,
    node,
    subscribe,
    unsubscribe,
    initialVersions: held.length > 0 ? new HeldVersions(held) : HeldVersions.NONE,
    nonce,
    error,
  }
}

/** @throws WireError */
export function readSotwRequest(buffer: Buffer): SotwRequest {
  const request = {
    typeUrl: '',
    node: undefined as Buffer | undefined,
    version: '',
    nonce: '',
    error: undefined as ErrorDetail | undefined,
  }
  const names: string[] = []
  const reader = new WireReader(buffer)
  while (reader.next()) {
    if (reader.field === 1) request.version = reader.text()
    else if (reader.field === 2) request.node = reader.bytes()
    else if (reader.field === 3) names.push(reader.text())
    else if (reader.field === 4) request.typeUrl = reader.text()
    else if (reader.field === 5) request.nonce = reader.text()
    else if (reader.field === 6) request.error = readError(reader.message())
  }
  return { ...request, names }
}

function readError(reader: WireReader): ErrorDetail {
  let code = 0
  let message = ''
  while (reader.next()) {
    if (reader.field === 1 && reader.type === VARINT) code = reader.value
    else if (reader.field === 2) message = reader.text()
  }
  return { code, message }
}

/** @throws WireError */
export function readDeltaResponse(buffer: Buffer): DeltaResponse {
  let typeUrl = ''
  let nonce = ''
  let systemVersion = ''
  const resources: DeltaResource[] = []
  const removed: string[] = []
  const reader = new WireReader(buffer)
  while (reader.next()) {
    if (reader.field === 1) systemVersion = reader.text()
    else if (reader.field === 2) resources.push(readResource(reader.message()))
    else if (reader.field === 4) typeUrl = reader.text()
    else if (reader.field === 5) nonce = reader.text()
    else if (reader.field === 6) removed.push(reader.text())
  }
  return { typeUrl, nonce, systemVersion, resources, removed }
}

function readResource(reader: WireReader): DeltaResource {
  let name = ''
  let version = ''
  let bytes: Uint8Array | undefined
  const aliases: string[] = []
  while (reader.next()) {
    if (reader.field === 1) version = reader.text()
    else if (reader.field === 2) bytes = readAny(reader.message()).bytes
    else if (reader.field === 3) name = reader.text()
    else if (reader.field === 4) aliases.push(reader.text())
  }
  return { name, version, ...(bytes ? { bytes } : {}), ...(aliases.length > 0 ? { aliases } : {}) }
}

function readAny(reader: WireReader): { typeUrl: string; bytes: Uint8Array } {
  let typeUrl = ''
  let bytes: Uint8Array = new Uint8Array(0)
  while (reader.next()) {
    if (reader.field === 1) typeUrl = reader.text()
    else if (reader.field === 2) bytes = reader.bytes()
  }
  return { typeUrl, bytes }
}

/** @throws WireError */
export function readSotwResponse(buffer: Buffer): SotwResponse {
  let typeUrl = ''
  let nonce = ''
  let version = ''
  let identifier = ''
  const resources: { typeUrl: string; bytes: Uint8Array }[] = []
  const reader = new WireReader(buffer)
  while (reader.next()) {
    if (reader.field === 1) version = reader.text()
    else if (reader.field === 2) resources.push(readAny(reader.message()))
    else if (reader.field === 4) typeUrl = reader.text()
    else if (reader.field === 5) nonce = reader.text()
    else if (reader.field === 6) identifier = readControlPlane(reader.message())
  }
  return { typeUrl, nonce, version, resources, identifier }
}

/**
 * Encodes a DeltaDiscoveryResponse in one buffer of exact size.
 *
 * @param fragments further resources, as `writeDeltaResources` made them
 */
export function writeDeltaResponse(response: DeltaResponse, identifier = '', fragments: readonly Buffer[] = []): Buffer {
  const { typeUrl, nonce, systemVersion, resources, removed } = response
  const own = writeDeltaResources(typeUrl, resources)
  let size = own.length + textSize(systemVersion) + textSize(typeUrl) + textSize(nonce) + controlPlaneSize(identifier)
  for (const fragment of fragments) size += fragment.length
  for (const name of removed) size += textSize(name)
  const writer = new WireWriter(size)
  writer.text(1, systemVersion)
  for (const fragment of [own, ...fragments]) writer.raw(fragment)
  writer.text(4, typeUrl)
  writer.text(5, nonce)
  for (const name of removed) writer.text(6, name)
  writeControlPlane(writer, 7, identifier)
  return writer.buffer
}

/** Encodes the resources of a delta response alone: a message's fields may be put together in any order and at any time. */
export function writeDeltaResources(typeUrl: string, resources: readonly DeltaResource[]): Buffer {
  const typeLength = Buffer.byteLength(typeUrl)
  const sizes = resources.map((resource) => resourceSize(resource, typeLength))
  const writer = new WireWriter(sizes.reduce((size, length) => size + fieldSize(length), 0))
  resources.forEach((resource, i) => {
    writer.header(2, sizes[i] ?? 0)
    writer.text(1, resource.version)
    if (resource.bytes) {
      writer.header(2, fieldSize(typeLength) + fieldSize(resource.bytes.length))
      writer.text(1, typeUrl)
      writer.bytes(2, resource.bytes)
    }
    writer.text(3, resource.name)
    for (const alias of resource.aliases ?? []) writer.text(4, alias)
  })
  return writer.buffer
}

function resourceSize(resource: DeltaResource, typeLength: number): number {
  let size = textSize(resource.version) + textSize(resource.name)
  if (resource.bytes) size += fieldSize(fieldSize(typeLength) + fieldSize(resource.bytes.length))
  for (const alias of resource.aliases ?? []) size += textSize(alias)
  return size
}

/** Encodes a DiscoveryResponse in one buffer of exact size; resources are of the response's type where they name none. */
export function writeSotwResponse(
  response: {
    typeUrl: string
    nonce: string
    version: string
    resources: readonly { readonly typeUrl?: string; readonly bytes: Uint8Array }[]
  },
  identifier = '',
): Buffer {
  const { typeUrl, nonce, version, resources } = response
  const typeSize = textSize(typeUrl)
  let size = textSize(version) + typeSize + textSize(nonce) + controlPlaneSize(identifier)
  for (const each of resources) size += fieldSize((each.typeUrl ? textSize(each.typeUrl) : typeSize) + fieldSize(each.bytes.length))
  const writer = new WireWriter(size)
  writer.text(1, version)
  for (const each of resources) {
    writer.header(2, (each.typeUrl ? textSize(each.typeUrl) : typeSize) + fieldSize(each.bytes.length))
    writer.text(1, each.typeUrl ?? typeUrl)
    writer.bytes(2, each.bytes)
  }
  writer.text(4, typeUrl)
  writer.text(5, nonce)
  writeControlPlane(writer, 6, identifier)
  return writer.buffer
}

function readControlPlane(reader: WireReader): string {
  let identifier = ''
  while (reader.next()) if (reader.field === 1) identifier = reader.text()
  return identifier
}

// ControlPlane { string identifier = 1 }: Envoy shows it as the text stat `control_plane.identifier`.
function controlPlaneSize(identifier: string): number {
  return identifier === '' ? 0 : fieldSize(textSize(identifier))
}

function writeControlPlane(writer: WireWriter, field: number, identifier: string): void {
  if (identifier === '') return
  writer.header(field, textSize(identifier))
  writer.text(1, identifier)
}

/** What goes into a delta request. */
export interface OutgoingDeltaRequest extends Partial<Omit<DeltaRequest, 'initialVersions'>> {
  readonly typeUrl: string
  readonly initialVersions?: ReadonlyMap<string, string>
}

const NO_VERSIONS: ReadonlyMap<string, string> = new Map()

/** Encodes a DeltaDiscoveryRequest; empty fields are left out. */
export function writeDeltaRequest(request: OutgoingDeltaRequest): Buffer {
  const { typeUrl, node, subscribe = [], unsubscribe = [], initialVersions = NO_VERSIONS, nonce = '', error } = request
  let size = (node ? fieldSize(node.length) : 0) + textSize(typeUrl) + (nonce ? textSize(nonce) : 0)
  for (const name of subscribe) size += textSize(name)
  for (const name of unsubscribe) size += textSize(name)
  for (const [name, version] of initialVersions) size += fieldSize(textSize(name) + textSize(version))
  const detail = error ? writeError(error) : undefined
  if (detail) size += fieldSize(detail.length)
  const writer = new WireWriter(size)
  if (node) writer.bytes(1, node)
  writer.text(2, typeUrl)
  for (const name of subscribe) writer.text(3, name)
  for (const name of unsubscribe) writer.text(4, name)
  for (const [name, version] of initialVersions) {
    writer.header(5, textSize(name) + textSize(version))
    writer.text(1, name)
    writer.text(2, version)
  }
  if (nonce) writer.text(6, nonce)
  if (detail) writer.bytes(7, detail)
  return writer.buffer
}

/** Encodes a DiscoveryRequest; empty fields are left out. */
export function writeSotwRequest(request: Partial<SotwRequest> & { typeUrl: string }): Buffer {
  const { typeUrl, node, names = [], version = '', nonce = '', error } = request
  let size = (node ? fieldSize(node.length) : 0) + textSize(typeUrl) + (nonce ? textSize(nonce) : 0) + (version ? textSize(version) : 0)
  for (const name of names) size += textSize(name)
  const detail = error ? writeError(error) : undefined
  if (detail) size += fieldSize(detail.length)
  const writer = new WireWriter(size)
  if (version) writer.text(1, version)
  if (node) writer.bytes(2, node)
  for (const name of names) writer.text(3, name)
  writer.text(4, typeUrl)
  if (nonce) writer.text(5, nonce)
  if (detail) writer.bytes(6, detail)
  return writer.buffer
}

function writeError(error: ErrorDetail): Buffer {
  const code = new WireWriter(12)
  code.buffer[code.at++] = 8
  code.varint(error.code)
  const writer = new WireWriter(code.at + textSize(error.message))
  writer.buffer.set(code.buffer.subarray(0, code.at))
  writer.at = code.at
  writer.text(2, error.message)
  return writer.buffer
}
