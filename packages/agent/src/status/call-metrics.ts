/**
 * Istio's metrics, from those that Envoy has under names and labels of its own: a text of Prometheus' format goes in line by line, and
 * comes out with Istio's names and labels. Everything else passes unchanged.
 *
 * Records of several calls may come to the same labels (two ports of a service): their values are added up, since one page must not
 * have a series twice. Each metric is therefore held back until its last line, as numbers in rows, not as text.
 */
import { type CallSide, type Peer, RECORD_LABEL } from '@lateen/base/call-record'
import { callLabels } from './call-labels.ts'

/** What is written for one label set of the metric at hand. */
interface Row {
  /** Labels as text, without braces. */
  readonly labels: string
  /** By column; a column is one line of a label set: a bucket, the sum, the count. */
  readonly values: number[]
}

/** Series of one metric that one page may have; more are passed over. */
const MOST_ROWS = 100_000

const SIDES: Readonly<Record<string, CallSide>> = { [RECORD_LABEL.outbound]: 'outbound', [RECORD_LABEL.inbound]: 'inbound' }

/** `envoy_istio_request_bytes_bucket{istio_outbound="…",custom="x",le="5"} 3`: name, label, record, labels between, bound, value. */
const SAMPLE =
  /^envoy_(istio_\w+)\{(istio_outbound|istio_inbound)="((?:[^"\\]|\\.)*)"((?:,(?!le=)\w+="(?:[^"\\]|\\.)*")*)(,le="[^"]*")?\} (\S+)/

export class CallMetrics {
  readonly #own: Peer
  /** Labels by side and record; a record comes in many lines. */
  readonly #known = new Map<string, string>()
  readonly #columns = new Map<string, number>()
  readonly #rows = new Map<string, Row>()

  constructor(own: Peer) {
    this.#own = own
  }

  /** Takes whole lines; gives those that can be written now. */
  *write(text: string): Generator<string> {
    if (this.#rows.size === 0 && !text.includes('{istio_')) return yield renamed(text)
    let passed = ''
    for (const [line] of text.matchAll(/.*\n|.+$/g)) {
      const sample = line.startsWith('envoy_istio_') ? SAMPLE.exec(line) : null
      if (sample) this.#take(sample)
      // The first line that is none of the metric's ends it; Envoy leaves empty ones between.
      else if (this.#rows.size === 0) passed += line
      else if (line !== '\n') {
        yield renamed(passed)
        yield* this.end()
        passed = line
      }
    }
    yield renamed(passed)
  }

  /** What is held back at the end of the page. */
  *end(): Generator<string> {
    const columns = [...this.#columns.keys()].map((column) => column.split(' ') as [name: string, bound: string])
    for (const { labels, values } of this.#rows.values())
      yield columns.map(([name, bound], index) => `${name}{${labels}${bound}} ${values[index] ?? 0}\n`).join('')
    this.#rows.clear()
    this.#columns.clear()
  }

  #take([, name = '', label = '', record = '', others = '', bound = '', value = '']: RegExpExecArray): void {
    const key = `${label} ${record}`
    let labels = this.#known.get(key)
    if (labels === undefined) this.#known.set(key, (labels = this.#labelsOf(label, record)))
    const series = labels + others
    let row = this.#rows.get(series)
    if (!row) {
      if (this.#rows.size >= MOST_ROWS) return
      this.#rows.set(series, (row = { labels: series, values: [] }))
    }
    const column = `${name} ${bound}`
    const index = this.#columns.get(column) ?? this.#columns.size
    this.#columns.set(column, index)
    row.values[index] = (row.values[index] ?? 0) + Number(value)
  }

  #labelsOf(label: string, record: string): string {
    const labels = callLabels(SIDES[label] ?? 'outbound', plain(record), this.#own)
    return labels.map(([name, value]) => `${name}="${quoted(value)}"`).join(',')
  }
}

const quoted = (text: string): string => text.replace(/["\\\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))
const plain = (text: string): string => text.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character))

/** Envoy puts `envoy_` before names that are not its own. */
const renamed = (text: string): string => text.replace(/^(# (?:TYPE|HELP) )?envoy_(istio_)/gm, '$1$2')
