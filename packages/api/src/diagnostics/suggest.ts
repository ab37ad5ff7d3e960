/** "Did you mean": the nearest of the allowed words. */

/** ` (did you mean "weight"?)`, or nothing when no word is near. */
export function didYouMean(found: string, allowed: readonly string[]): string {
  const near = nearest(found, allowed)
  return near === undefined ? '' : `; did you mean "${near}"?`
}

/** The allowed word that differs least, when it differs little; else the only one that the word is the beginning of. */
export function nearest(found: string, allowed: readonly string[]): string | undefined {
  if (found.length > 64) return undefined
  const plain = simplified(found)
  let best: string | undefined
  let least = Math.max(1, Math.floor(found.length / 3)) + 1
  for (const word of allowed) {
    const distance = simplified(word) === plain || parts(word) === parts(found) ? 0 : editDistance(plain, simplified(word), least)
    if (distance < least) {
      least = distance
      best = word
    }
  }
  return best ?? onlyLonger(plain, allowed)
}

/** `tags` for `tagOverrides`. */
function onlyLonger(plain: string, allowed: readonly string[]): string | undefined {
  const stem = plain.replace(/s$/, '')
  const longer = stem.length < SHORTEST_STEM ? [] : allowed.filter((word) => simplified(word).startsWith(stem))
  return longer.length === 1 ? longer[0] : undefined
}

const SHORTEST_STEM = 3

/** The parts of a compound word, whatever their order. */
const parts = (text: string) => text.toLowerCase().split(/[-_]/).sort().join(' ')

const simplified = (text: string) => text.toLowerCase().replaceAll(/[-_]/g, '')

/** Insertions, deletions, replacements and swaps of neighbours; gives up at `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, (before[j - 2] ?? 0) + 1)
      next.push(cost)
    }
    before = row
    row = next
  }
  return row[b.length] ?? limit
}
