/** Paths with `{*}` (one segment) and `{**}` (any number), as Envoy's URI templates. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { packAny } from '@lateen/envoy'
import type { TypedExtensionConfigSchema } from '@lateen/envoy/gen/envoy/config/core/v3/extension_pb.js'
import { UriTemplateMatchConfigSchema } from '@lateen/envoy/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.js'

export function isTemplate(path: string): boolean {
  return path.includes('{*}') || path.includes('{**}')
}

const LITERAL = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+$/

/**
 * The template that a path means; undefined where Envoy would refuse it, and with it the whole listener: `{**}` may stand once and
 * as the last operator, an operator fills its segment but for `{**}`, which may end in a text.
 */
export function pathTemplate(path: string): MessageInitShape<typeof TypedExtensionConfigSchema> | undefined {
  if (!path.startsWith('/')) return undefined
  const segments = path.slice(1).split('/')
  const rest = segments.indexOf('{**}')
  for (const [i, segment] of segments.entries()) {
    if (segment === '{*}' || segment === '{**}') {
      if (rest >= 0 && i > rest) return undefined
    } else if (!(LITERAL.test(segment) || (segment === '' && i === segments.length - 1))) return undefined
  }
  return {
    name: 'uri-template',
    typedConfig: packAny(UriTemplateMatchConfigSchema, { pathTemplate: path.replaceAll('{*}', '*').replaceAll('{**}', '**') }),
  }
}
