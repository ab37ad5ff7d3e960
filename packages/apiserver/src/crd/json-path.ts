/** The small JSONPath that printer columns use: `.spec.hosts`, `.status.conditions[?(@.type=="Ready")].status`, `[0]`, `[*]`. */
import { isObj } from '../values.ts'

type Step =
  | { readonly field: string }
  | { readonly index: number }
  | { readonly all: true }
  | { readonly filter: readonly string[]; readonly equals: boolean; readonly value: string }

const cache = new Map<string, readonly Step[]>()

function parse(path: string): readonly Step[] {
  const known = cache.get(path)
  if (known) return known
  const steps: Step[] = []
  let rest = path
    .trim()
    .replace(/^\{(.*)\}$/, '$1')
    .replace(/^\$/, '')
  while (rest !== '') {
    const field = /^\.?((?:[^.[\]\\]|\\.)+)/.exec(rest)
    const filter = /^\[\?\(\s*@\.([^=!\s]+)\s*(==|!=)\s*(?:"([^"]*)"|'([^']*)'|([^)\s]+))\s*\)\]/.exec(rest)
    const index = /^\[(-?\d+)\]/.exec(rest)
    const quoted = /^\[(?:'([^']*)'|"([^"]*)")\]/.exec(rest)
    const all = /^(\[\*\]|\.\*)/.exec(rest)
    const match = all ?? filter ?? index ?? quoted ?? field
    if (!match) break
    if (all) steps.push({ all: true })
    else if (filter)
      steps.push({ filter: (filter[1] ?? '').split('.'), equals: filter[2] === '==', value: filter[3] ?? filter[4] ?? filter[5] ?? '' })
    else if (index) steps.push({ index: Number(index[1]) })
    else if (quoted) steps.push({ field: quoted[1] ?? quoted[2] ?? '' })
    else steps.push({ field: (match[1] ?? '').replace(/\\(.)/g, '$1') })
    rest = rest.slice(match[0].length)
  }
  if (cache.size > 2000) cache.clear()
  cache.set(path, steps)
  return steps
}

/** All values that the path finds. */
export function jsonPath(value: unknown, path: string): unknown[] {
  let found: unknown[] = [value]
  for (const step of parse(path)) {
    found = found.flatMap((here): unknown[] => {
      if ('field' in step) return isObj(here) && here[step.field] !== undefined && here[step.field] !== null ? [here[step.field]] : []
      if ('index' in step) return Array.isArray(here) && here.at(step.index) !== undefined ? [here.at(step.index)] : []
      if ('all' in step) return Array.isArray(here) ? here : isObj(here) ? Object.values(here) : []
      if (!Array.isArray(here)) return []
      return here.filter((item) => {
        let at: unknown = item
        for (const field of step.filter) at = isObj(at) ? at[field] : undefined
        return (at !== undefined && String(at) === step.value) === step.equals
      })
    })
  }
  return found
}

/** Sets the value at a plain field path such as `.spec.replicas`, making objects on the way. */
export function setPlainPath(object: { [field: string]: unknown }, path: string, value: unknown): void {
  const fields = path.split('.').filter((f) => f !== '')
  let here = object
  for (const field of fields.slice(0, -1)) {
    const next = here[field]
    if (isObj(next)) here = next
    else {
      const made = {}
      here[field] = made
      here = made
    }
  }
  const last = fields.at(-1)
  if (last !== undefined) here[last] = value
}
