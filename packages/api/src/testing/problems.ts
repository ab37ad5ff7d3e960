/** For tests: the spec of one object in YAML → what is said about it, one text each. */

import { KINDS } from '../kinds/kinds.ts'
import { parseDocuments } from '../reading/parse-documents.ts'
import { validate } from '../validate.ts'

export interface Around {
  readonly name?: string
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

/** Errors and warnings as `Error spec.hosts[0] LTN0202`, in order; information is left out. */
export function problems(kind: string, spec: string, around: Around = {}): string[] {
  return said(kind, spec, around)
    .filter(({ severity }) => severity !== 'Info')
    .map(({ severity, path, code }) => `${severity} ${path} ${code}`)
}

/** The messages, errors and warnings alike. */
export function messages(kind: string, spec: string, around: Around = {}): string[] {
  return said(kind, spec, around).map(({ path, message }) => `${path}: ${message}`)
}

function said(kind: string, spec: string, { name = 'one', namespace = 'shop', labels = {}, annotations = {} }: Around) {
  const definition = KINDS.find((candidate) => candidate.kind === kind)
  if (!definition) throw new Error(`no kind ${kind}`)
  const indented = spec.trimEnd().replace(/^\n/, '').split('\n')
  const margin = Math.min(...indented.filter((line) => line.trim()).map((line) => line.length - line.trimStart().length))
  const text = [
    `apiVersion: ${definition.group}/${definition.versions[0]?.name}`,
    `kind: ${kind}`,
    `metadata: ${JSON.stringify({ name, namespace, labels, annotations })}`,
    'spec:',
    ...indented.map((line) => `  ${line.slice(margin)}`),
  ].join('\n')
  const { objects, diagnostics } = parseDocuments(text, 'test.yaml')
  if (diagnostics.length > 0 || objects.length !== 1) throw new Error(`unreadable case: ${JSON.stringify(diagnostics)}\n${text}`)
  return objects.flatMap(({ object }) => validate(object))
}
