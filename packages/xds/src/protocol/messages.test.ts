/** The messages written here are read by the generated code, and the other way round. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { NodeSchema } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from '@lateen/envoy/gen/envoy/service/discovery/v3/discovery_pb.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  readDeltaRequest,
  readDeltaResponse,
  readSotwRequest,
  readSotwResponse,
  writeDeltaRequest,
  writeDeltaResponse,
  writeSotwRequest,
  writeSotwResponse,
} from './messages.ts'
import { readNode } from './node.ts'
import { varintSize, WireError, WireReader, WireWriter } from './wire.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 200 })
const bytes = fc.uint8Array({ maxLength: 300 })
const limits = { maxBytes: 1 << 20, maxDepth: 32 }

test('delta requests', () => {
  const request = fc.record({
    typeUrl: text,
    subscribe: fc.array(text),
    unsubscribe: fc.array(text),
    initialVersions: fc.dictionary(text, text),
    nonce: text,
    error: fc.option(fc.record({ code: fc.nat({ max: 16 }), message: text }), { nil: undefined }),
  })
  fc.assert(
    fc.property(request, (r) => {
      const written = writeDeltaRequest({ ...r, initialVersions: new Map(Object.entries(r.initialVersions)) })
      const read = fromBinary(DeltaDiscoveryRequestSchema, written)
      expect(read).toMatchObject({
        typeUrl: r.typeUrl,
        resourceNamesSubscribe: r.subscribe,
        resourceNamesUnsubscribe: r.unsubscribe,
        responseNonce: r.nonce,
      })
      expect({ ...read.initialResourceVersions }).toEqual({ ...r.initialVersions })
      expect(read.errorDetail?.message).toBe(r.error?.message)
      const again = readDeltaRequest(Buffer.from(toBinary(DeltaDiscoveryRequestSchema, read)))
      expect({ ...again, initialVersions: Object.fromEntries(again.initialVersions.toMap()) }).toEqual({
        ...r,
        node: undefined,
        initialVersions: { ...r.initialVersions },
      })
    }),
  )
})

test('state-of-the-world requests', () => {
  const request = fc.record({ typeUrl: text, names: fc.array(text), version: text, nonce: text })
  fc.assert(
    fc.property(request, (r) => {
      const read = fromBinary(DiscoveryRequestSchema, writeSotwRequest(r))
      expect(read).toMatchObject({ typeUrl: r.typeUrl, resourceNames: r.names, versionInfo: r.version, responseNonce: r.nonce })
      expect(readSotwRequest(Buffer.from(toBinary(DiscoveryRequestSchema, read)))).toEqual({ ...r, node: undefined, error: undefined })
    }),
  )
})

test('delta responses', () => {
  const resource = fc.record({ name: text, version: text, bytes }, { requiredKeys: ['name', 'version', 'bytes'] })
  const response = fc.record({ typeUrl: text, nonce: text, systemVersion: text, resources: fc.array(resource), removed: fc.array(text) })
  fc.assert(
    fc.property(response, (r) => {
      const read = fromBinary(DeltaDiscoveryResponseSchema, writeDeltaResponse(r, 'lateen'))
      expect(read).toMatchObject({ typeUrl: r.typeUrl, nonce: r.nonce, systemVersionInfo: r.systemVersion, removedResources: r.removed })
      expect(read.controlPlane?.identifier).toBe('lateen')
      expect(read.resources.map((x) => [x.name, x.version, x.resource?.typeUrl, [...(x.resource?.value ?? [])]])).toEqual(
        r.resources.map((x) => [x.name, x.version, r.typeUrl, [...x.bytes]]),
      )
      const again = readDeltaResponse(Buffer.from(toBinary(DeltaDiscoveryResponseSchema, read)))
      expect(again.resources.map((x) => [x.name, x.version, [...(x.bytes ?? [])]])).toEqual(
        r.resources.map((x) => [x.name, x.version, [...x.bytes]]),
      )
    }),
  )
})

test('state-of-the-world responses', () => {
  const response = fc.record({ typeUrl: text, nonce: text, version: text, resources: fc.array(fc.record({ bytes })) })
  fc.assert(
    fc.property(response, (r) => {
      const read = fromBinary(DiscoveryResponseSchema, writeSotwResponse(r, 'lateen'))
      expect(read).toMatchObject({ typeUrl: r.typeUrl, nonce: r.nonce, versionInfo: r.version })
      expect(read.resources.map((x) => [x.typeUrl, [...x.value]])).toEqual(r.resources.map((x) => [r.typeUrl, [...x.bytes]]))
      const again = readSotwResponse(Buffer.from(toBinary(DiscoveryResponseSchema, read)))
      expect(again.resources.map((x) => [...x.bytes])).toEqual(r.resources.map((x) => [...x.bytes]))
    }),
  )
})

test('nodes, with metadata of any shape', () => {
  const value = fc.jsonValue({ maxDepth: 5 }).filter((v) => !JSON.stringify(v).includes('__proto__'))
  fc.assert(
    fc.property(text, fc.dictionary(text, value), (id, metadata) => {
      const made = create(NodeSchema, {
        id,
        cluster: 'c',
        metadata: JSON.parse(JSON.stringify(metadata)),
        locality: { region: 'r', zone: 'z', subZone: 's' },
        userAgentName: 'envoy',
        userAgentVersionType: { case: 'userAgentBuildVersion', value: { version: { majorNumber: 1, minorNumber: 40, patch: 0 } } },
      })
      const read = readNode(Buffer.from(toBinary(NodeSchema, made)), limits)
      expect(read).toMatchObject({
        id,
        cluster: 'c',
        userAgentName: 'envoy',
        userAgentVersion: '1.40.0',
        locality: { region: 'r', zone: 'z', subZone: 's' },
      })
      // Negative zero does not survive JSON on the other side of the comparison.
      expect(JSON.stringify(sorted(read.metadata))).toBe(JSON.stringify(sorted(metadata)))
    }),
  )
})

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  )
}

test('metadata nested deeper than allowed is refused', () => {
  let metadata: Record<string, never> = {}
  for (let i = 0; i < 40; i++) metadata = { a: metadata as never }
  const node = toBinary(NodeSchema, create(NodeSchema, { id: 'x', metadata: metadata as never }))
  expect(() => readNode(Buffer.from(node), limits)).toThrow('nested too deeply')
})

test('any bytes are read or refused, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (random) => {
      for (const read of [readDeltaRequest, readSotwRequest, readDeltaResponse, readSotwResponse, (b: Buffer) => readNode(b, limits)]) {
        try {
          read(Buffer.from(random))
        } catch (error) {
          expect(error).toBeInstanceOf(WireError)
        }
      }
    }),
    { numRuns: 1000 },
  )
})

test('varints of every size', () => {
  fc.assert(
    fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (value) => {
      const writer = new WireWriter(1 + varintSize(value))
      writer.buffer[writer.at++] = 8
      writer.varint(value)
      const reader = new WireReader(writer.buffer)
      expect(reader.next()).toBe(true)
      expect(reader.value).toBe(value)
      expect(reader.next()).toBe(false)
    }),
  )
})
