/**
 * Makes `gen/schemas.ts` and `gen/descriptions.ts` from the npm package `kubernetes-models`: the fields of the built-in
 * kinds, in a compact text form (see `src/schema/builtin.ts`), and their descriptions for `kubectl explain`.
 *
 * Enters: the declaration files of `kubernetes-models` and `@kubernetes-models/apimachinery`. Leaves: two files under `gen/`.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'

const require = createRequire(import.meta.url)
const packageRoot = (name) => {
  for (const path of require.resolve.paths(name) ?? []) if (existsSync(join(path, name, 'package.json'))) return join(path, name)
  throw new Error(`npm package "${name}" is not installed; run "npm ci"`)
}
const models = packageRoot('kubernetes-models')
const machinery = packageRoot('@kubernetes-models/apimachinery')
const out = resolve(import.meta.dirname, '..', 'gen')

const FOLDERS = {
  v1: 'core.v1',
  'admissionregistration.k8s.io/v1': 'admissionregistration.v1',
  'apiextensions.k8s.io/v1': 'apiextensions.v1',
  'apps/v1': 'apps.v1',
  'authentication.k8s.io/v1': 'authentication.v1',
  'authorization.k8s.io/v1': 'authorization.v1',
  'autoscaling/v1': 'autoscaling.v1',
  'autoscaling/v2': 'autoscaling.v2',
  'batch/v1': 'batch.v1',
  'certificates.k8s.io/v1': 'certificates.v1',
  'coordination.k8s.io/v1': 'coordination.v1',
  'discovery.k8s.io/v1': 'discovery.v1',
  'events.k8s.io/v1': 'events.v1',
  'networking.k8s.io/v1': 'networking.v1',
  'node.k8s.io/v1': 'node.v1',
  'policy/v1': 'policy.v1',
  'rbac.authorization.k8s.io/v1': 'rbac.v1',
  'scheduling.k8s.io/v1': 'scheduling.v1',
  'storage.k8s.io/v1': 'storage.v1',
}
const SCALARS = {
  'util/intstr/IntOrString': 'x',
  'api/resource/Quantity': 'q',
  'apis/meta/v1/Time': 't',
  'apis/meta/v1/MicroTime': 'T',
  'apis/meta/v1/FieldsV1': 'a',
  'apis/meta/v1/Patch': 'a',
  'runtime/RawExtension': 'a',
}
/** Kinds whose value may be anything. */
const OPAQUE = /^JSON(SchemaPropsOr\w+)?$|^CustomResourceSubresourceStatus$/
/** Byte strings look like plain strings in the declarations. */
const BYTES = new Set([
  'core.v1.Secret data',
  'core.v1.ConfigMap binaryData',
  'admissionregistration.v1.WebhookClientConfig caBundle',
  'apiextensions.v1.WebhookClientConfig caBundle',
  'certificates.v1.CertificateSigningRequestSpec request',
  'certificates.v1.CertificateSigningRequestStatus certificate',
])
/** Fields whose type the declarations spell out in place. */
const INLINE = { 'apps.v1.StatefulSetSpec volumeClaimTemplates': '[@core.v1.PersistentVolumeClaim' }
const NUMBERS = new Set(['maximum', 'minimum', 'multipleOf'])

const definitions = {}
const descriptions = {}
const pending = []

for (const [folder, prefix] of Object.entries(FOLDERS)) {
  const path = join(models, folder)
  for (const file of readdirSync(path)) {
    if (OPAQUE.test(file.replace(/\.d\.ts$/, ''))) continue
    if (!file.endsWith('.d.ts') || file === 'index.d.ts' || file.endsWith('List.d.ts')) continue
    read(join(path, file), `${prefix}.${file.slice(0, -5)}`)
  }
}
for (const kind of ['DeleteOptions', 'Status', 'ListMeta']) read(join(machinery, 'apis/meta/v1', `${kind}.d.ts`), `meta.v1.${kind}`)
while (pending.length > 0) {
  const [file, name] = pending.pop()
  if (!definitions[name]) read(file, name)
}

mkdirSync(out, { recursive: true })
const sorted = (object) => Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)))
const write = (file, value) =>
  writeFileSync(
    join(out, file),
    `// Made by codegen/generate.mjs. Do not edit.\nexport default ${JSON.stringify(JSON.stringify(sorted(value)))}\n`,
  )
write('schemas.ts', definitions)
write('descriptions.ts', descriptions)
console.log(`${Object.keys(definitions).length} definitions`)

function nameOf(file) {
  const inMachinery = file.startsWith(machinery)
  const path = file.slice((inMachinery ? machinery : models).length + 1).replace(/\.d\.ts$/, '')
  if (inMachinery && path in SCALARS) return SCALARS[path]
  if (inMachinery) {
    if (path.startsWith('apis/meta/v1/')) return `@meta.v1.${path.slice('apis/meta/v1/'.length)}`
    return 'a'
  }
  const slash = path.lastIndexOf('/')
  const kind = path.slice(slash + 1)
  if (OPAQUE.test(kind)) return 'a'
  const prefix = FOLDERS[path.slice(0, slash)]
  return prefix ? `@${prefix}.${kind}` : 'a'
}

function read(file, name) {
  const text = readFileSync(file, 'utf8')
  const imports = new Map()
  for (const [, symbol, from] of text.matchAll(/^import \{ (\w+) \} from "([^"]+)";$/gm)) {
    let target
    if (from.startsWith('@kubernetes-models/apimachinery/'))
      target = `${join(machinery, from.slice('@kubernetes-models/apimachinery/'.length))}.d.ts`
    else if (from.startsWith('.')) target = join(dirname(file), from.replace(/\.js$/, '.d.ts'))
    else continue
    const ref = nameOf(target)
    imports.set(symbol, ref)
    if (ref.startsWith('@') && !definitions[ref.slice(1)]) pending.push([target, ref.slice(1)])
  }
  const start = /^export interface I(\w+)[^{]*\{\n/m.exec(text)
  const comment = (lines) =>
    lines
      .map((l) => l.replace(/^\s*\* ?/, ''))
      .join('\n')
      .replaceAll('*\\/', '*/')
      .replaceAll('\\*', '*')
      .trim()
  if (!start) {
    definitions[name] ??= {}
    return
  }
  const own = `I${start[1]}`
  const body = text.slice(start.index + start[0].length, text.indexOf('\n}\n', start.index))
  const before = text.slice(0, start.index).trimEnd()
  const docAt = before.lastIndexOf('/**')
  const doc = before.endsWith('*/') ? comment(before.slice(docAt).split('\n').slice(1, -1)) : ''
  const fields = {}
  const docs = {}
  const lines = body.split('\n').filter((line) => line.trim() !== '')
  let fieldDoc = ''
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]
    if (line.trim() === '/**') {
      const from = i + 1
      while (lines[i].trim() !== '*/') i++
      fieldDoc = comment(lines.slice(from, i))
      continue
    }
    const match = /^ {4}"([^"]+)"(\?)?: (.*)$/.exec(line)
    if (!match) throw new Error(`${file}: not understood: ${line}`)
    let type = match[3]
    const inline = INLINE[`${name} ${match[1]}`]
    if (inline) {
      while (!/^ {4}\}>?;$/.test(lines[i])) i++
      fields[match[1]] = inline
      if (fieldDoc) docs[match[1]] = fieldDoc
      fieldDoc = ''
      continue
    }
    if (type === '{') {
      const inner = /^ {8}\[key: string\]: (.*);$/.exec(lines[i + 1])
      if (inner && lines[i + 2] === '    };') {
        type = `MAP ${inner[1]}`
        i += 2
      } else if (inner?.[1] === undefined && /^ {8}\[key: string\]: \{$/.test(lines[i + 1])) {
        type = `MAP MAP ${/^ {12}\[key: string\]: (.*);$/.exec(lines[i + 2])[1]}`
        i += 4
      } else throw new Error(`${file}: not understood: ${lines.slice(i, i + 3).join('\n')}`)
    } else type = type.replace(/;$/, '')
    const field = match[1]
    const bytes = BYTES.has(`${name} ${field}`)
    const required = match[2] === undefined && field !== 'apiVersion' && field !== 'kind' ? '!' : ''
    let code = typeCode(type, own, name, imports, file)
    if (bytes) code = code.replace(/s$/, 'y')
    if (code === 'i' && NUMBERS.has(field)) code = 'n'
    if (/^s\|/.test(code) && (field === 'apiVersion' || field === 'kind')) code = 's'
    fields[field] = required + code
    if (fieldDoc) docs[field] = fieldDoc
    fieldDoc = ''
  }
  definitions[name] = fields
  descriptions[name] = [doc, docs]
}

function typeCode(type, own, name, imports, file) {
  const array = /^Array<(.*)>$/.exec(type)
  if (array) return `[${typeCode(array[1], own, name, imports, file)}`
  if (type.startsWith('MAP ')) return `{${typeCode(type.slice(4), own, name, imports, file)}`
  if (type === own) return `@${name}`
  if (type === 'string') return 's'
  if (type === 'number') return 'i'
  if (type === 'boolean') return 'b'
  const ref = imports.get(type)
  if (ref) return ref
  if (/^"[^"]*"( \| "[^"]*")*$/.test(type))
    return `s|${type
      .split(' | ')
      .map((t) => t.slice(1, -1))
      .join('|')}`
  if (/^(unknown|any|object)$/.test(type) || /^\{/.test(type)) return 'a'
  throw new Error(`${file}: type not understood: ${type}`)
}
