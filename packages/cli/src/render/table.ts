/** Columns of text as kubectl and istioctl print them: upper-case headings, three spaces between, nothing at line ends. */

const GAP = '   '

/** What is to be laid out as a table. */
export interface Shown {
  readonly headings: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** Blanks between columns; istioctl's tables differ in it. */
  readonly padding: number
}

export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows]
  const widths = headings.map((_, column) => lines.reduce((widest, line) => Math.max(widest, width(line[column] ?? '')), 0))
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - width(cell)))
        .join(GAP)
        .trimEnd(),
    )
    .join('\n')
}

/**
 * A table as Go's tabwriter makes it, which istioctl uses: each column is as wide as its widest cell and `padding` blanks, blanks at the
 * ends of lines included, since scripts that cut istioctl's output at columns count on them.
 */
export function paddedTable(headings: readonly string[], rows: readonly (readonly string[])[], padding: number): string {
  const lines = [headings, ...rows]
  const widths = headings.map((_, column) => lines.reduce((widest, line) => Math.max(widest, width(line[column] ?? '')), 0) + padding)
  const last = headings.length - 1
  return lines
    .map((line) => headings.map((_, column) => padded(line[column] ?? '', column === last ? 0 : (widths[column] ?? 0))).join(''))
    .join('\n')
}

const padded = (cell: string, to: number): string => cell + ' '.repeat(Math.max(0, to - width(cell)))

const width = (text: string) => [...text].length

/** Lines of a name and a value, the values below each other. */
export function definitions(lines: readonly (readonly [string, string])[]): string {
  const widest = Math.max(0, ...lines.map(([name]) => width(name)))
  return lines.map(([name, value]) => `${name}${' '.repeat(widest - width(name) + 1)}${value}`.trimEnd()).join('\n')
}
