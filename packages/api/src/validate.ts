/** An object as a user wrote it → what is wrong with it, and its typed form. */
import type { Diagnostic } from '@lateen/base'
import { At, Report } from './diagnostics/at.ts'
import { didYouMean } from './diagnostics/suggest.ts'
import { CHECKS } from './kinds/checks.ts'
import type { Kind } from './kinds/kind.ts'
import { kindOf, splitApiVersion } from './kinds/kinds.ts'
import type { KubeObject } from './object.ts'
import { dropEmptyLists, isObject, readMessage } from './schema/read.ts'

/** A position in a file, counted from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** A diagnostic with the place in the file that it speaks of. */
export interface LocatedDiagnostic extends Diagnostic {
  readonly file?: string
  readonly position?: Position
}

export interface ValidateOptions {
  /** The file that the object was read from. */
  readonly file?: string
  /** Where a path of the object stands in the file (`ParsedObject.positionOf`). */
  readonly positions?: (path: string) => Position | undefined
}

/**
 * Everything that is wrong with an object of Istio's API: its shape, and what Istio's webhook refuses or warns about.
 *
 * Objects of other kinds have no diagnostics. `Error` means that the object is refused, `Warning` that it works but surely not as
 * meant, `Info` that some readers (a Kubernetes API server's schema) are stricter.
 */
export function validate(object: unknown, options: ValidateOptions = {}): LocatedDiagnostic[] {
  const kind = isObject(object) ? kindOf(splitApiVersion(String(object.apiVersion)).group, String(object.kind)) : undefined
  const report = new Report(refOfUnknown(object), kind?.spec)
  if (isObject(object) && kind) check(object, kind, new At(report, ''))
  return withoutEchoes(report.diagnostics).map((diagnostic) => located(diagnostic, options))
}

/**
 * The typed form of an object: fields in lowerCamelCase, enum values as words, numbers as numbers; unknown fields and unusable
 * values are left out, and nothing is filled in. Objects of other kinds come back unchanged.
 */
export function normalize<Spec, Status>(object: KubeObject<Spec, Status>): KubeObject<Spec, Status> {
  const kind = kindOf(splitApiVersion(object.apiVersion).group, object.kind)
  if (!kind || !isObject(object.spec)) return object
  const spec = readSpec(kind, object.spec, new At(new Report(refOfUnknown(object)), 'spec'))
  // `read` follows the schema that the kind's TypeScript type is inferred from.
  return { ...object, spec: spec as Spec }
}

const TOP_FIELDS = ['apiVersion', 'kind', 'metadata', 'spec', 'status']

function check(object: Readonly<Record<string, unknown>>, kind: Kind, top: At): void {
  const { group, version } = splitApiVersion(String(object.apiVersion))
  if (!kind.versions.some(({ name }) => name === version)) {
    top
      .in('apiVersion')
      .say('UnknownVersion', { kind: kind.kind, version, allowed: kind.versions.map(({ name }) => `${group}/${name}`).join(' or ') })
  }
  for (const field of Object.keys(object)) {
    if (!TOP_FIELDS.includes(field)) top.in(field).say('UnknownTopField', { hint: didYouMean(field, TOP_FIELDS) })
  }
  checkSpec(object, kind, top)
}

function checkSpec(object: Readonly<Record<string, unknown>>, kind: Kind, top: At): void {
  const at = top.in('spec')
  if (object.spec !== undefined && object.spec !== null && !isObject(object.spec))
    return at.say('WrongType', { found: 'no object', wanted: 'an object', hint: '' })
  if (!object.spec && kind.specRequired) at.say('ServerRefuses', { reason: 'it must be set' })
  const given = isObject(object.spec) ? object.spec : {}
  const faults = top.report.diagnostics.length
  const spec = readSpec(kind, given, at)
  // What could not be read would be called missing once more.
  const readable = top.report.diagnostics.slice(faults).every(({ severity, code }) => severity !== 'Error' || code === UNKNOWN_FIELD)
  const metadata = isObject(object.metadata) ? object.metadata : {}
  const annotations = texts(metadata.annotations)
  if (!checkAnnotations(annotations, kind, spec, top)) return
  const name = typeof metadata.name === 'string' ? metadata.name : ''
  // Where the object goes when nothing is said.
  const namespace = typeof metadata.namespace === 'string' && metadata.namespace !== '' ? metadata.namespace : 'default'
  // The spec was read with the schema of this very kind, so it is what the kind's check takes.
  if (readable) CHECKS[kind.kind]?.({ spec: spec as never, at, top, name, namespace, labels: texts(metadata.labels), annotations })
}

/** A spec's typed form. Protobuf has no empty lists: what is written as one means the same as nothing. */
function readSpec(kind: Kind, given: Readonly<Record<string, unknown>>, at: At): Record<string, unknown> {
  const spec = readMessage(kind.spec, given, at)
  dropEmptyLists(kind.spec, spec)
  return spec
}

const UNKNOWN_FIELD = 'LTN0101'

const DRY_RUN = 'istio.io/dry-run'
const EVERY_SPELLING = 'lateen.io/every-spelling'
const BOOLEAN = /^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/
const ALWAYS_REJECT = 'internal.istio.io/webhook-always-reject'
/** Set on objects that the control plane makes of others: they may do what those may, so that nobody else may claim to be one. */
const PARENTS = ['internal.istio.io/parent-namespace', 'internal.istio.io/parents']

/** Answers whether the rest is worth checking. */
function checkAnnotations(
  annotations: Readonly<Record<string, string>>,
  kind: Kind,
  spec: Readonly<Record<string, unknown>>,
  top: At,
): boolean {
  const at = top.in('metadata', 'annotations')
  const dryRun = annotations[DRY_RUN]
  const before = top.report.diagnostics.length
  if (dryRun !== undefined) {
    const action = String(spec.action ?? 'ALLOW')
    if (kind.kind !== 'AuthorizationPolicy') at.key(DRY_RUN).say('DryRunNotSupported', { annotation: DRY_RUN })
    else if (action !== 'ALLOW' && action !== 'DENY') at.key(DRY_RUN).say('DryRunAction', { annotation: DRY_RUN, action })
    else if (!BOOLEAN.test(dryRun)) at.key(DRY_RUN).say('DryRunValue', { annotation: DRY_RUN, value: dryRun })
  }
  if (ALWAYS_REJECT in annotations) at.key(ALWAYS_REJECT).say('AlwaysReject', { annotation: ALWAYS_REJECT })
  for (const annotation of PARENTS) if (annotation in annotations) at.key(annotation).say('InternalAnnotation', { annotation })
  const sound = top.report.diagnostics.length === before
  const spelling = annotations[EVERY_SPELLING]
  if (spelling !== undefined) {
    if (kind.kind !== 'AuthorizationPolicy') at.key(EVERY_SPELLING).say('SpellingNotSupported', { annotation: EVERY_SPELLING })
    else if (!BOOLEAN.test(spelling)) at.key(EVERY_SPELLING).say('SpellingValue', { annotation: EVERY_SPELLING, value: spelling })
  }
  return sound
}

function texts(value: unknown): Readonly<Record<string, string>> {
  if (!isObject(value)) return {}
  return Object.fromEntries(Object.entries(value).flatMap(([key, text]) => (typeof text === 'string' ? [[key, text]] : [])))
}

function refOfUnknown(object: unknown): Report['object'] {
  const fields = isObject(object) ? object : {}
  const metadata = isObject(fields.metadata) ? fields.metadata : {}
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  return { kind: text(fields.kind), namespace: text(metadata.namespace), name: text(metadata.name) }
}

/** Leaves out what only repeats an error of the same place as information. */
function withoutEchoes(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const errors = diagnostics.filter(({ severity }) => severity === 'Error').map(({ path }) => path)
  const covers = (a: string, b: string) => a === b || (a.startsWith(b) && /^[.[]/.test(a.slice(b.length)))
  return diagnostics.filter(
    ({ severity, path }) => severity !== 'Info' || !errors.some((error) => covers(error, path) || covers(path, error)),
  )
}

function located(diagnostic: Diagnostic, { file, positions }: ValidateOptions): LocatedDiagnostic {
  const position = positions?.(diagnostic.path)
  return { ...diagnostic, ...(file !== undefined && { file }), ...(position && { position }) }
}
