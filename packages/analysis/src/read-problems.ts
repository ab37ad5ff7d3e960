/**
 * What keeps an object of a file from being analysed as it is written. A control plane would not take such an object, or would
 * overlook the field, so that findings about it would be about something else.
 */
import type { LocatedDiagnostic } from '@lateen/api'
import { isIstioKind } from './kinds.ts'
import { type AnyResource, diagnosticsOf } from './resource.ts'

export interface ReadProblem extends LocatedDiagnostic {
  /** The object cannot be read at all; otherwise only a field is overlooked. */
  readonly fatal: boolean
}

/** Codes of `@lateen/api` about the shape of an object: unknown version, wrong types, words and numbers that cannot be read. */
const FATAL = new Set(['LTN0013', 'LTN0103', 'LTN0104', 'LTN0105', 'LTN0106', 'LTN0107', 'LTN0109'])
const OVERLOOKED = new Set(['LTN0101', 'LTN0102'])

/** A field that does not exist: whoever reads the object overlooks it. Admission and {@link readProblems} say so. */
export const isOverlookedField = ({ code }: LocatedDiagnostic): boolean => OVERLOOKED.has(code)

export function readProblems(resource: AnyResource): ReadProblem[] {
  if (!isIstioKind(resource.kind)) return []
  return diagnosticsOf(resource).flatMap((diagnostic) => {
    const fatal = FATAL.has(diagnostic.code)
    return fatal || isOverlookedField(diagnostic) ? [{ ...diagnostic, fatal }] : []
  })
}

export const isUnreadable = (problems: readonly ReadProblem[]): boolean => problems.some(({ fatal }) => fatal)
