/** Two JSON values → where they differ. Items of lists are matched by their names where they have some, else by what is equal around them. */

export interface Difference {
  /** `filterChains[0].filters[name=envoy.http].typedConfig.statPrefix`; empty for the values themselves. */
  readonly path: string
  /** Absent: it was not there. */
  readonly before?: unknown
  /** Absent: it is gone. */
  readonly after?: unknown
}

const MOST = 1_000
const NAME_FIELDS = ['name', 'clusterName', 'key']

/** At most 1,000 differences. */
export function structuralDiff(before: unknown, after: unknown): Difference[] {
  const found: Difference[] = []
  compare(before, after, '', found)
  return found
}

function compare(before: unknown, after: unknown, path: string, found: Difference[]): void {
  if (found.length >= MOST || before === after) return
  if (Array.isArray(before) && Array.isArray(after)) return compareLists(before, after, path, found)
  if (isMap(before) && isMap(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      compareAt(before[name], after[name], path === '' ? name : `${path}.${name}`, found)
    }
    return
  }
  found.push({ path, before, after })
}

function compareAt(before: unknown, after: unknown, path: string, found: Difference[]): void {
  if (found.length >= MOST) return
  if (before === undefined && after !== undefined) found.push({ path, after })
  else if (after === undefined && before !== undefined) found.push({ path, before })
  else compare(before, after, path, found)
}

function compareLists(before: readonly unknown[], after: readonly unknown[], path: string, found: Difference[]): void {
  const [left, right] = [namesOf(before), namesOf(after)]
  if (left && right) {
    for (const name of new Set([...left.keys(), ...right.keys()]))
      compareAt(left.get(name), right.get(name), `${path}[name=${name}]`, found)
    const kept = (names: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>) =>
      [...names.keys()].filter((name) => other.has(name))
    const [was, is] = [kept(left, right), kept(right, left)]
    if (was.join('\n') !== is.join('\n')) found.push({ path: `${path} (order)`, before: was, after: is })
    return
  }
  const start = sharedStart(before, after)
  const end = sharedEnd(before, after, start)
  const [was, is] = [before.slice(start, before.length - end), after.slice(start, after.length - end)]
  for (let index = 0; index < Math.max(was.length, is.length); index++) compareAt(was[index], is[index], `${path}[${start + index}]`, found)
}

/** Items by name, when all have one and no two the same. */
function namesOf(items: readonly unknown[]): Map<string, unknown> | undefined {
  const names = new Map<string, unknown>()
  for (const item of items) {
    if (!isMap(item)) return undefined
    const name = NAME_FIELDS.map((field) => item[field]).find((value) => typeof value === 'string' && value !== '')
    if (typeof name !== 'string' || names.has(name)) return undefined
    names.set(name, item)
  }
  return names
}

function sharedStart(before: readonly unknown[], after: readonly unknown[]): number {
  let count = 0
  while (count < Math.min(before.length, after.length) && isEqual(before[count], after[count])) count++
  return count
}

function sharedEnd(before: readonly unknown[], after: readonly unknown[], start: number): number {
  let count = 0
  const most = Math.min(before.length, after.length) - start
  while (count < most && isEqual(before[before.length - 1 - count], after[after.length - 1 - count])) count++
  return count
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isEqual = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
