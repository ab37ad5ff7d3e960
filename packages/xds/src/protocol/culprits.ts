/** Reads from a client's refusal which of the resources was at fault. */
import { TYPE_URL } from '@lateen/envoy'

/** The resources that a message names as whole words. */
export function culpritsNamed<T extends { readonly name: string }>(resources: readonly T[], message: string): readonly T[] {
  return resources.filter((resource) => resource.name !== '' && namesWhole(message, resource.name))
}

/**
 * Whether the client took the resources that its message does not name. Envoy collects the errors of clusters and listeners
 * and applies the others; anything found while decoding, and any error of another type, refuses the response as a whole.
 */
export function othersWereApplied(typeUrl: string, message: string): boolean {
  if (typeUrl === TYPE_URL.CDS) return /Error adding\/updating cluster\(s\) /.test(message)
  return typeUrl === TYPE_URL.LDS && /Error adding\/updating listener\(s\) /.test(message)
}

// `outbound|80||cart.shop` must not be found in `outbound|80||cart.shop.svc`, nor `10.0.0.1_80` in `10.0.0.1_8080`.
const INSIDE = /[\w|/-]/

function namesWhole(message: string, name: string): boolean {
  for (let at = message.indexOf(name); at >= 0; at = message.indexOf(name, at + 1)) {
    const before = message[at - 1] ?? ' '
    const after = message.slice(at + name.length, at + name.length + 2)
    const goesOn = INSIDE.test(after[0] ?? ' ') || /^[.:]\w/.test(after)
    if (!INSIDE.test(before) && !goesOn && before !== '.') return true
  }
  return false
}
