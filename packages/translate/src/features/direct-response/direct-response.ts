/** `http[].directResponse` of a VirtualService: an answer that no service gives. */
import type { HTTPDirectResponse } from '@lateen/api'
import type { RouteInit } from '../route-feature.ts'

export function directResponseAction(response: HTTPDirectResponse): NonNullable<RouteInit['action']> {
  const { body } = response
  return {
    case: 'directResponse',
    value: {
      status: response.status,
      ...(body?.string !== undefined && { body: { specifier: { case: 'inlineString' as const, value: body.string } } }),
      ...(body?.bytes !== undefined && { body: { specifier: { case: 'inlineBytes' as const, value: fromBase64(body.bytes) } } }),
    },
  }
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.codePointAt(0) ?? 0)
}
