/** What a kind's check is given. */
import type { At } from '../diagnostics/at.ts'

/** An object under check. */
export interface Subject<Spec> {
  /** The typed form, as `normalize` gives it. */
  readonly spec: Spec
  /** The place of `spec`. */
  readonly at: At
  /** The place of the whole object. */
  readonly top: At
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}
