/**
 * What a condition says of a request. `unknown` is for what cannot be seen from here: an answer of another server, an extension that
 * is not understood.
 */
export type Truth = true | false | 'unknown'

export const not = (truth: Truth): Truth => (truth === 'unknown' ? truth : !truth)

/** True when all are; an unknown one leaves it open unless another is false. */
export function every<T>(list: readonly T[], ask: (entry: T) => Truth): Truth {
  let open = false
  for (const entry of list) {
    const truth = ask(entry)
    if (truth === false) return false
    if (truth === 'unknown') open = true
  }
  return open ? 'unknown' : true
}

/** True when one is; an unknown one leaves it open unless another is true. */
export function some<T>(list: readonly T[], ask: (entry: T) => Truth): Truth {
  let open = false
  for (const entry of list) {
    const truth = ask(entry)
    if (truth === true) return true
    if (truth === 'unknown') open = true
  }
  return open ? 'unknown' : false
}
