/** Columns of text as kubectl and istioctl print them: upper-case headings, three spaces between, nothing at line ends. */

const GAP = '   '

export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows]
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => width(line[column] ?? ''))))
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - width(cell)))
        .join(GAP)
        .trimEnd(),
    )
    .join('\n')
}

const width = (text: string) => [...text].length

/** Lines of a name and a value, the values below each other. */
export function definitions(lines: readonly (readonly [string, string])[]): string {
  const widest = Math.max(0, ...lines.map(([name]) => width(name)))
  return lines.map(([name, value]) => `${name}${' '.repeat(widest - width(name) + 1)}${value}`.trimEnd()).join('\n')
}
