/** Two texts, line by line → how they differ, as `diff -u` writes it. */

export interface DiffNames {
  readonly before: string
  readonly after: string
}

/** Lines around each difference. */
const CONTEXT = 7
/** More differing lines than this are not matched with each other: the whole stretch is told as replaced. */
const MOST_EDITS = 2_000

type Edit = 'same' | 'gone' | 'new'

interface Line {
  readonly edit: Edit
  readonly text: string
}

/** Empty when the texts are equal; else it ends with a line feed. */
export function unifiedDiff(before: readonly string[], after: readonly string[], names: DiffNames): string {
  const lines = editsBetween(before, after)
  const hunks = hunksOf(lines)
  if (hunks.length === 0) return ''
  return [`--- ${names.before}`, `+++ ${names.after}`, ...hunks.flatMap((hunk) => hunkLines(lines, hunk)), ''].join('\n')
}

function editsBetween(before: readonly string[], after: readonly string[]): Line[] {
  let start = 0
  while (start < before.length && start < after.length && before[start] === after[start]) start++
  let end = 0
  while (end < Math.min(before.length, after.length) - start && before.at(-1 - end) === after.at(-1 - end)) end++
  const [old, now] = [before.slice(start, before.length - end), after.slice(start, after.length - end)]
  return [
    ...marked('same', before.slice(0, start)),
    ...(matched(old, now) ?? replaced(old, now)),
    ...marked('same', before.slice(before.length - end)),
  ]
}

const marked = (edit: Edit, texts: readonly string[]): Line[] => texts.map((text) => ({ edit, text }))

const replaced = (old: readonly string[], now: readonly string[]): Line[] => [...marked('gone', old), ...marked('new', now)]

/** The shortest way from one to the other (Myers); undefined when it has too many steps. */
function matched(old: readonly string[], now: readonly string[]): Line[] | undefined {
  const most = Math.min(old.length + now.length, MOST_EDITS)
  // How far in `old` each diagonal has come, for every number of edits.
  const trace: Int32Array[] = []
  const reach = new Int32Array(2 * most + 3)
  for (let edits = 0; edits <= most; edits++) {
    trace.push(reach.slice())
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const at = diagonal + most + 1
      let x = isDown(reach, at, diagonal, edits) ? (reach[at + 1] ?? 0) : (reach[at - 1] ?? 0) + 1
      while (x < old.length && x - diagonal < now.length && old[x] === now[x - diagonal]) x++
      reach[at] = x
      if (x >= old.length && x - diagonal >= now.length) return wayBack(old, now, trace, most)
    }
  }
  return undefined
}

/** Whether the best way to a diagonal is by a new line. */
const isDown = (reach: Int32Array, at: number, diagonal: number, edits: number): boolean =>
  diagonal === -edits || (diagonal !== edits && (reach[at - 1] ?? 0) < (reach[at + 1] ?? 0))

function wayBack(old: readonly string[], now: readonly string[], trace: readonly Int32Array[], most: number): Line[] {
  const lines: Line[] = []
  let [x, y] = [old.length, now.length]
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const reach = trace[edits] ?? new Int32Array()
    const at = x - y + most + 1
    const down = isDown(reach, at, x - y, edits)
    const fromX = down ? (reach[at + 1] ?? 0) : (reach[at - 1] ?? 0)
    const fromY = fromX - (x - y + (down ? 1 : -1))
    const [stopX, stopY] = edits === 0 ? [0, 0] : [down ? fromX : fromX + 1, down ? fromY + 1 : fromY]
    while (x > stopX && y > stopY) {
      x--
      y--
      lines.push({ edit: 'same', text: old[x] ?? '' })
    }
    if (edits > 0) lines.push(down ? { edit: 'new', text: now[fromY] ?? '' } : { edit: 'gone', text: old[fromX] ?? '' })
    x = fromX
    y = fromY
  }
  return lines.reverse()
}

interface Hunk {
  readonly start: number
  readonly end: number
}

/** Stretches of lines with what is around them; those that touch are one. */
function hunksOf(lines: readonly Line[]): Hunk[] {
  const hunks: Hunk[] = []
  for (const [index, { edit }] of lines.entries()) {
    if (edit === 'same') continue
    const last = hunks.at(-1)
    const end = Math.min(lines.length, index + 1 + CONTEXT)
    const start = Math.max(0, index - CONTEXT)
    if (last && start <= last.end) hunks[hunks.length - 1] = { start: last.start, end }
    else hunks.push({ start, end })
  }
  return hunks
}

function hunkLines(lines: readonly Line[], { start, end }: Hunk): string[] {
  const before = lines.slice(0, start)
  const inside = lines.slice(start, end)
  const range = (edit: Edit) => rangeText(countWithout(before, edit), countWithout(inside, edit))
  return [`@@ -${range('new')} +${range('gone')} @@`, ...inside.map(({ edit, text }) => `${MARKS[edit]}${text}`)]
}

const MARKS = { same: ' ', gone: '-', new: '+' } as const

const countWithout = (lines: readonly Line[], without: Edit): number => lines.filter(({ edit }) => edit !== without).length

/** One line has no count; none are told by the line before them. */
function rangeText(before: number, count: number): string {
  if (count === 1) return String(before + 1)
  return `${count === 0 ? before : before + 1},${count}`
}
