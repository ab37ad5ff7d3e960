/** A place in an object: checks say there what they found, and do not know where they are mounted. */
import type { Diagnostic, ObjectRef, Severity } from '@lateen/base'
import type { MessageNode } from '../schema/node.ts'
import { type ArgumentsOf, MESSAGES, type MessageName, wordsOf } from './catalogue.ts'

/** Most diagnostics that one object gets. */
const LIMIT = 200

/** Collects the diagnostics of one object. */
export class Report {
  readonly diagnostics: Diagnostic[] = []
  readonly object: ObjectRef
  /** The definition of the object's spec, to tell where a misplaced field belongs. */
  readonly root: MessageNode | undefined

  constructor(object: ObjectRef, root?: MessageNode) {
    this.object = object
    this.root = root
  }

  /** Whether more would not be said: time to stop looking for it. */
  get isFull(): boolean {
    return this.diagnostics.length > LIMIT
  }

  add<K extends MessageName>(name: K, path: string, ...values: ArgumentsOf<K>): void {
    if (this.isFull) return
    const full = this.diagnostics.length === LIMIT
    const { code, severity, text } = MESSAGES[full ? 'TooManyProblems' : name]
    const message = wordsOf(text, full ? { limit: LIMIT } : values[0])
    this.diagnostics.push({ code, severity, object: this.object, path: full ? '' : path, message })
  }
}

export class At {
  readonly report: Report
  readonly path: string
  readonly #unsaid: Severity | undefined

  constructor(report: Report, path: string, unsaid?: Severity) {
    this.report = report
    this.path = path
    this.#unsaid = unsaid
  }

  /** The place of a field. */
  in(...fields: string[]): At {
    return this.#below([this.path, ...fields].filter(Boolean).join('.'))
  }

  /** The place of a list's element. */
  at(index: number): At {
    return this.#below(`${this.path}[${index}]`)
  }

  /** The place of a map's value. */
  key(key: string): At {
    return this.#below(`${this.path}[${JSON.stringify(key)}]`)
  }

  /** The same place, here and below of which nobody is warned: Istio says only errors of some parts of an object. */
  withoutWarnings(): At {
    return new At(this.report, this.path, 'Warning')
  }

  #below(path: string): At {
    return new At(this.report, path, this.#unsaid)
  }

  say<K extends MessageName>(name: K, ...values: ArgumentsOf<K>): void {
    if (MESSAGES[name].severity !== this.#unsaid) this.report.add(name, this.path, ...values)
  }

  /** Visits the elements of a list that may be unset, each with its place. */
  each<T>(items: readonly T[] | undefined, visit: (item: T, at: At, index: number) => void): void {
    items?.forEach((item, index) => {
      visit(item, this.at(index), index)
    })
  }

  /** Visits the values of a map that may be unset, each with its place. */
  entries<T>(values: Readonly<Record<string, T>> | undefined, visit: (value: T, at: At, key: string) => void): void {
    for (const [key, value] of Object.entries(values ?? {})) visit(value, this.key(key), key)
  }
}
