/** Envoy's path templates: `*` and `{name}` stand for one segment, `**` and `{name=**}` for what is left. */
import { matchesWhole } from './regex.ts'

/** Characters of a segment, as Envoy counts them. */
const SEGMENT = "[a-zA-Z0-9\\-._~%!$&'()+,;:@=]"
const REST = "[a-zA-Z0-9\\-._~%!$&'()+,;:@=/]"

/** Whether a path without its query fits a template. */
export function templateMatches(template: string, path: string): boolean {
  return matchesWhole(expressionOf(template), path)
}

function expressionOf(template: string): string {
  return template.replace(/\{[^{}=]*(?:=([^{}]*))?\}|\*\*|\*|[^*{}]+/g, (part, inner: string | undefined) => {
    if (part.startsWith('{')) return inner === undefined ? `${SEGMENT}+` : expressionOf(inner)
    if (part === '**') return `${REST}*`
    return part === '*' ? `${SEGMENT}+` : part.replace(/[\\^$.|?+()[\]]/g, '\\$&')
  })
}
