/** Each object of Istio's API by itself: the same checks as at admission, with the codes of analysis. */
import { istioCode, type LocatedDiagnostic } from '@lateen/api'
import type { Analyzer, Report } from '../../analyzer.ts'
import { ISTIO_KIND_NAMES, type IstioKindName } from '../../kinds.ts'
import { isOverlookedField } from '../../read-problems.ts'
import { diagnosticsOf, type Resource } from '../../resource.ts'

/** One for each kind, so that each can be named and listed. */
export const schemas: readonly Analyzer[] = ISTIO_KIND_NAMES.map((kind) => schemaOf(kind))

function schemaOf(kind: IstioKindName): Analyzer {
  return {
    name: `schema.ValidationAnalyzer.${kind}`,
    description: `The checks of admission for each ${kind}`,
    inputs: [kind],
    messages: ['SchemaValidationError', 'SchemaWarning', 'VirtualServiceUnreachableRule', 'VirtualServiceIneffectiveMatch'],
    analyze(world, report) {
      for (const resource of world.of(kind)) {
        for (const diagnostic of distinct(diagnosticsOf(resource))) say(resource, diagnostic, report)
      }
    },
  }
}

/** Remarks on how something is written, for whoever writes it: an empty portLevelMtls, a patch-less entry of an EnvoyFilter. */
const ONLY_AT_ADMISSION = new Set(['LTN0821', 'LTN0929'])

/** What is said in the same words of several places of an object is said once, at the first. */
function distinct(diagnostics: readonly LocatedDiagnostic[]): LocatedDiagnostic[] {
  const first = new Map<string, LocatedDiagnostic>()
  for (const diagnostic of diagnostics) {
    const key = `${diagnostic.code} ${diagnostic.message}`
    if (!isOverlookedField(diagnostic) && !ONLY_AT_ADMISSION.has(diagnostic.code) && !first.has(key)) first.set(key, diagnostic)
  }
  return [...first.values()]
}

function say(resource: Resource, { code, severity, path, message }: LocatedDiagnostic, report: Report): void {
  // Only a Kubernetes API server's schema is stricter.
  if (severity === 'Info') return
  switch (istioCode(code)) {
    case 'IST0130':
      return report('VirtualServiceUnreachableRule', resource, { ruleno: ruleOf(path), reason: message }, path)
    case 'IST0131':
      return report('VirtualServiceIneffectiveMatch', resource, { ruleno: ruleOf(path), matchno: path, dupno: message }, path)
    default: {
      const err = path === '' ? message : `${path}: ${message}`
      return severity === 'Error'
        ? report('SchemaValidationError', resource, { err }, path)
        : report('SchemaWarning', resource, { err }, path)
    }
  }
}

/** `spec.http[2].match[0]` → `http[2]`. */
const ruleOf = (path: string): string => /^spec\.([a-z]+\[\d+\])/.exec(path)?.[1] ?? path
