/** Go's duration texts (`1h30m`, `250ms`), which Istio's fields and flags use. */

const UNITS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const PART = /([0-9]*\.?[0-9]+)(ns|us|µs|ms|s|m|h)/y

/** Milliseconds of a Go duration (`"1.5s"` → 1500); `undefined` when the text is not one. */
export function parseDuration(text: string): number | undefined {
  if (text.length > 64) return undefined
  const sign = text.startsWith('-') ? -1 : 1
  const body = text.replace(/^[-+]/, '')
  if (body === '0') return 0
  let total = 0
  PART.lastIndex = 0
  let at = 0
  while (at < body.length) {
    PART.lastIndex = at
    const match = PART.exec(body)
    if (!match) return undefined
    total += Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN)
    at = PART.lastIndex
  }
  return at === 0 ? undefined : sign * total
}

/** A Go duration text of milliseconds (`5400000` → `1h30m0s`). */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return '0s'
  if (milliseconds < 0) return `-${formatDuration(-milliseconds)}`
  if (milliseconds < 1) return `${round(milliseconds * 1000)}µs`
  if (milliseconds < 1000) return `${round(milliseconds)}ms`
  const hours = Math.floor(milliseconds / 3_600_000)
  const minutes = Math.floor((milliseconds % 3_600_000) / 60_000)
  const seconds = round((milliseconds % 60_000) / 1000)
  return `${hours ? `${hours}h` : ''}${hours || minutes ? `${minutes}m` : ''}${seconds}s`
}

const round = (n: number) => Number(n.toFixed(6))
