/** Pages in Prometheus' text format. */

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** The samples of a page. @throws Error when a series is there twice */
export function readPage(page: string): Sample[] {
  const seen = new Set<string>()
  return page.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^([a-zA-Z_:]\w*)(?:\{(.*)\})? (\S+)/.exec(line) ?? []
    if (!name || line.startsWith('#')) return []
    const id = `${name}{${labels}`
    if (seen.has(id)) throw new Error(`the page has the series ${id}} twice`)
    seen.add(id)
    const pairs = [...labels.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text])
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }]
  })
}

/** What is more in a later page than in an earlier one. */
export function grownBy(before: readonly Sample[], after: readonly Sample[]): Sample[] {
  const id = ({ name, labels }: Sample) => JSON.stringify([name, labels])
  const old = new Map(before.map((sample) => [id(sample), sample.value]))
  return after.map((sample) => ({ ...sample, value: sample.value - (old.get(id(sample)) ?? 0) })).filter(({ value }) => value !== 0)
}
