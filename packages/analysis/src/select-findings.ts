/** Which findings are shown: those of a namespace, without those that are suppressed. */
import type { Finding } from './analyze.ts'

/** `--suppress CODE=Kind name.namespace`, with `*` for any part. */
export interface Suppression {
  readonly code: string
  /** `Pod web.shop`, `Pod shop/web`, `Pod *.shop`. */
  readonly origin: string
}

export interface Selection {
  /** Findings about objects of this namespace, and about what has none; all when absent. */
  readonly namespace?: string
  readonly suppressions?: readonly Suppression[]
}

const SUPPRESS_ANNOTATION = 'galley.istio.io/analyze-suppress'

export function selectFindings(findings: readonly Finding[], { namespace, suppressions = [] }: Selection): Finding[] {
  const patterns = suppressions.map(({ code, origin }) => ({ code, fits: wildcard(origin) }))
  return findings.filter((finding) => {
    const own = finding.resource?.namespace ?? ''
    if (namespace !== undefined && own !== '' && own !== namespace) return false
    if (isSuppressedByAnnotation(finding)) return false
    return !patterns.some(({ code, fits }) => code === finding.code && namesOf(finding).some(fits))
  })
}

function isSuppressedByAnnotation({ code, resource }: Finding): boolean {
  const codes = resource?.annotations[SUPPRESS_ANNOTATION]?.split(',') ?? []
  return codes.some((one) => one.trim() === '*' || one.trim() === code)
}

/** `Kind namespace/name`, and `Kind name.namespace` as istioctl's help writes it. */
function namesOf({ origin, resource }: Finding): string[] {
  return resource && resource.namespace !== '' ? [origin, `${resource.object.kind} ${resource.name}.${resource.namespace}`] : [origin]
}

function wildcard(pattern: string): (text: string) => boolean {
  const parts = pattern.split('*')
  return (text) => {
    const [first = '', ...rest] = parts
    if (rest.length === 0) return text === first
    const last = rest.pop() ?? ''
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
    let at = first.length
    for (const part of rest) {
      const found = text.indexOf(part, at)
      if (found < 0) return false
      at = found + part.length
    }
    return at <= text.length - last.length
  }
}
