/** Encoding: a message becomes a resource once, however many proxies get it. */
import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import type { Resource } from '@lateen/envoy'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'

/** Encodes a message under its name; the version is a hash of the bytes. */
export function encode<D extends DescMessage>(schema: D, name: string, init: MessageInitShape<D>): Resource {
  return resourceOf(name, toBinary(schema, create(schema, init)))
}

/** A resource of bytes that are already encoded. */
export function resourceOf(name: string, bytes: Uint8Array): Resource {
  return { name, bytes, version: bytesToHex(sha256(bytes)).slice(0, 16) }
}

/** A part of a resource set: resources by name, in name order. */
export type Part = ReadonlyMap<string, Resource>

/** Builds a part; the order of names does not depend on the order in which resources were made. */
export function partOf(resources: Iterable<Resource>): Part {
  const sorted = [...resources].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  return new Map(sorted.map((resource) => [resource.name, resource]))
}

/** Parts are equal when they hold the same resources in the same versions. */
export function equalParts(a: Part, b: Part): boolean {
  if (a.size !== b.size) return false
  for (const [name, resource] of a) if (b.get(name)?.version !== resource.version) return false
  return true
}

/** Equal versions, equal bytes. */
export function equalResources(a: Resource | undefined, b: Resource | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.name === b.name && a.version === b.version)
}
