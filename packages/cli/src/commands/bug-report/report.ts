/** What was seen while collecting: what could not be read, and errors in logs. */
import { compareText } from '@lateen/base'
import { errorsOf } from './logs.ts'

export interface ErrorPatterns {
  readonly critical: readonly string[]
  readonly ignored: readonly string[]
}

export class Report {
  readonly #patterns: ErrorPatterns
  readonly #faults: string[] = []
  readonly #absent: string[] = []
  readonly #logs: string[] = []
  #cores = 0

  constructor(patterns: ErrorPatterns) {
    this.#patterns = patterns
  }

  sawLog(path: string, log: string): void {
    const { critical, others } = errorsOf(log, this.#patterns.critical, this.#patterns.ignored)
    if (critical.length + others === 0) return
    this.#logs.push([`${path}: ${critical.length} critical, ${others} other errors`, ...critical.map((line) => `    ${line}`)].join('\n'))
  }

  sawCore(): void {
    this.#cores++
  }

  fault(text: string): void {
    this.#faults.push(text)
  }

  /** What an image does not offer. */
  absent(text: string): void {
    this.#absent.push(text)
  }

  text(): string {
    const part = (title: string, lines: readonly string[]) => (lines.length === 0 ? [] : [`${title}:`, ...lines.toSorted(compareText), ''])
    const all = [
      ...part('Not collected', this.#faults),
      ...part('Not to be had from these images', this.#absent),
      ...part('Errors in logs', this.#logs),
    ]
    return all.length === 0 ? 'all was collected; no errors are in the logs\n' : all.join('\n')
  }

  /** For who ran the command. */
  conclusion(): string[] {
    const [faults, cores] = [this.#faults.length, this.#cores]
    return [
      ...(faults === 0 ? [] : [`${faults} of the files could not be collected; summary.txt in the archive says why`]),
      ...(cores === 0
        ? []
        : [
            `${cores} core ${cores === 1 ? 'dump is' : 'dumps are'} in the archive: the memory of proxies, with their keys; --skip-coredumps leaves them out`,
          ]),
    ]
  }
}
