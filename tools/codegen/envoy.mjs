/**
 * Makes packages/envoy/gen: JavaScript and type declarations of the Envoy messages that are used.
 *
 * Enters: the pinned Envoy binary, which embeds the descriptors of every message it knows, so the code is never a version off;
 * `roots.json`, the files wanted (their import closure is added); `istio.mjs`, Istio's own few messages.
 * Leaves: gen/**\/*_pb.{js,d.ts}, imported by name, and gen/files.{js,d.ts}, the list of all files for registries.
 *
 * usage: envoy.mjs ENVOY_BINARY
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { create, fromBinary } from '@bufbuild/protobuf'
import { CodeGeneratorRequestSchema, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { istioFiles } from './istio.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const out = join(here, '../../packages/envoy/gen')
const roots = JSON.parse(readFileSync(join(here, 'roots.json'), 'utf8'))

/** Imports that only carry annotations: nothing at run time reads them, and they would double the code. */
const ANNOTATIONS = /^(validate\/|udpa\/annotations\/|xds\/annotations\/|envoy\/annotations\/|google\/api\/annotations|google\/api\/http)/
/** Comes with @bufbuild/protobuf itself. */
const WELL_KNOWN = /^google\/protobuf\/(any|duration|empty|struct|timestamp|wrappers|descriptor|api|type|source_context|field_mask)\.proto$/

/** Every FileDescriptorProto found in the binary: a field 1 (name) that ends in .proto starts one. */
function descriptors(binary) {
  const found = new Map()
  const needle = Buffer.from('.proto')
  for (let at = binary.indexOf(needle); at >= 0; at = binary.indexOf(needle, at + 1)) {
    const end = at + needle.length
    for (let length = 8; length < 200; length++) {
      const start = end - length - (length < 128 ? 2 : 3)
      if (start < 0 || binary[start] !== 0x0a) continue
      const [value, next] = varint(binary, start + 1)
      if (value !== length || next + value !== end) continue
      const name = binary.toString('latin1', next, end)
      if (!/^[a-z][\w/.-]*\.proto$/.test(name) || found.has(name)) continue
      const file = parse(binary, start)
      if (file?.name === name) found.set(name, file)
    }
  }
  return found
}

function parse(binary, start) {
  let at = start
  let end = start
  while (at < binary.length) {
    const [tag, next] = varint(binary, at)
    const field = tag >>> 3
    if ((tag & 7) !== 2 || field < 1 || field > 12 || (field === 1 && at !== start)) break
    const [length, body] = varint(binary, next)
    at = body + length
    end = at
    if (field === 12) break
  }
  try {
    return fromBinary(FileDescriptorProtoSchema, binary.subarray(start, end))
  } catch {
    return undefined
  }
}

function varint(bytes, at) {
  let value = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[at++]
    value += (byte & 127) * 2 ** shift
    if (!(byte & 128)) break
  }
  return [value, at]
}

/** Options hold validation rules and annotations; only what changes the encoding is kept. */
function strip(file) {
  file.options = undefined
  file.sourceCodeInfo = undefined
  file.dependency = file.dependency.filter((name) => !ANNOTATIONS.test(name))
  file.publicDependency = []
  file.weakDependency = []
  file.extension = []
  file.messageType.forEach(stripMessage)
  file.enumType.forEach(stripEnum)
  for (const service of file.service) {
    service.options = undefined
    for (const method of service.method) method.options = undefined
  }
}

function stripMessage(message) {
  message.options = message.options?.mapEntry ? message.options : undefined
  for (const field of message.field) field.options = field.options?.packed === false ? field.options : undefined
  for (const oneof of message.oneofDecl) oneof.options = undefined
  message.extension = []
  message.nestedType.forEach(stripMessage)
  message.enumType.forEach(stripEnum)
}

function stripEnum(type) {
  type.options = undefined
  for (const value of type.value) value.options = undefined
}

const known = descriptors(readFileSync(process.argv[2]))
for (const file of istioFiles()) known.set(file.name, file)
const files = new Map()
function add(name) {
  if (files.has(name)) return
  const file = known.get(name)
  if (!file) throw new Error(`${name}: not in ${process.argv[2]}; correct tools/codegen/roots.json`)
  strip(file)
  for (const dependency of file.dependency) add(dependency)
  files.set(name, file)
}
for (const root of roots) add(root)

const request = create(CodeGeneratorRequestSchema, {
  parameter: 'target=js+dts,import_extension=js',
  protoFile: [...files.values()],
  fileToGenerate: [...files.keys()].filter((name) => !WELL_KNOWN.test(name)),
})
const { protocGenEs } = createRequire(import.meta.resolve('@bufbuild/protoc-gen-es/package.json'))('./dist/cjs/src/protoc-gen-es-plugin.js')
const response = protocGenEs.run(request)
if (response.error) throw new Error(response.error)
rmSync(out, { recursive: true, force: true })
for (const file of response.file) {
  const path = join(out, file.name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, file.content)
}
const modules = response.file
  .filter((file) => file.name.endsWith('_pb.js'))
  .map((file) => ({
    path: `./${file.name}`,
    descriptor: /export const (file_\w+) =/.exec(file.content)?.[1],
  }))
writeFileSync(
  join(out, 'files.js'),
  `${modules.map(({ path, descriptor }) => `import { ${descriptor} } from '${path}'`).join('\n')}\nexport const files = [${modules.map(({ descriptor }) => descriptor).join(', ')}]\n`,
)
writeFileSync(
  join(out, 'files.d.ts'),
  "import type { GenFile } from '@bufbuild/protobuf/codegenv2'\nexport declare const files: readonly GenFile[]\n",
)
console.error(`packages/envoy/gen: ${response.file.length} files from ${files.size} descriptors`)
