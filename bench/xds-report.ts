/** The figures of a run beside the targets and beside istiod's. */

interface Figures {
  readonly name: string
  readonly p99_ms: number
  readonly server_cpu_ms: number
  readonly received_mb: number
  readonly server_peak_rss_mb: number
}

interface Row {
  /** How the load generator's name of the step begins. */
  readonly step: string
  /** At 1,000 services and 200 proxies; a dash where nothing was asked for or measured. */
  readonly target: readonly [string, string, string]
  readonly istiod: readonly [string, string, string]
}

const CHANGE: readonly [string, string, string] = ['< 250', '< 100', '< 1']
const UNKNOWN: readonly [string, string, string] = ['-', '-', '-']

const ROWS: readonly Row[] = [
  { step: 'connect', target: UNKNOWN, istiod: UNKNOWN },
  { step: 'endpoints', target: CHANGE, istiod: UNKNOWN },
  { step: 'VirtualService', target: CHANGE, istiod: ['710', '995', '107'] },
  { step: 'DestinationRule', target: CHANGE, istiod: UNKNOWN },
  { step: 'Service', target: CHANGE, istiod: UNKNOWN },
  { step: 'reconnect', target: ['-', '-', '< 1'], istiod: ['-', '6600', '464'] },
]

/** Prints a table from the load generator's JSON. */
export function printComparison(json: string): void {
  const parsed: unknown = JSON.parse(json)
  const figures = Array.isArray(parsed) ? parsed.filter(isFigures) : []
  const lines = [['', 'p99 ms', 'target', 'istiod', 'CPU ms', 'target', 'istiod', 'MB', 'target', 'istiod']]
  for (const row of ROWS) {
    const found = figures.find((f) => f.name.startsWith(row.step))
    if (!found) continue
    const { target, istiod } = row
    const mine = [found.p99_ms.toFixed(0), found.server_cpu_ms.toFixed(0), found.received_mb.toFixed(2)]
    lines.push([found.name, ...mine.flatMap((value, i) => [value, target[i] ?? '-', istiod[i] ?? '-'])])
  }
  const peak = Math.max(...figures.map((f) => f.server_peak_rss_mb))
  process.stdout.write(
    `\n${lines.map((line) => line.map((text, i) => (i === 0 ? text.padEnd(34) : text.padStart(8))).join('')).join('\n')}\n`,
  )
  process.stdout.write(`peak RSS ${peak.toFixed(0)} MB (target < 300, istiod 1400)\n`)
}

function isFigures(value: unknown): value is Figures {
  return typeof value === 'object' && value !== null && 'name' in value && typeof value.name === 'string'
}
