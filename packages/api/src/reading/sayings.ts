/** Collects what is said about a file. */
import type { ObjectRef } from '@lateen/base'
import { type ArgumentsOf, MESSAGES, type MessageName, wordsOf } from '../diagnostics/catalogue.ts'
import type { LocatedDiagnostic, Position } from '../validate.ts'

export interface Place {
  readonly object?: ObjectRef
  readonly path?: string
  readonly position?: Position
}

export class Sayings {
  readonly diagnostics: LocatedDiagnostic[] = []
  readonly file: string

  constructor(file: string) {
    this.file = file
  }

  add<K extends MessageName>(name: K, place: Place, ...values: ArgumentsOf<K>): void {
    const { code, severity, text } = MESSAGES[name]
    this.diagnostics.push({
      code,
      severity,
      object: place.object ?? { kind: '', namespace: '', name: '' },
      path: place.path ?? '',
      message: wordsOf(text, values[0]),
      file: this.file,
      ...(place.position && { position: place.position }),
    })
  }
}
