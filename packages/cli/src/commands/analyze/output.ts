/** Findings as text: lines for people, or the objects that machines read. */
import { documentationUrl, type Finding } from '@lateen/analysis'
import type { Severity } from '@lateen/base'

/** One finding in machine form, with istioctl's field names. */
export interface FindingJson {
  readonly code: string
  readonly documentationUrl: string
  readonly level: Severity
  readonly message: string
  readonly origin: string
  readonly reference?: string
}

export class AnalysisOutput {
  readonly findings: readonly Finding[]
  readonly isColored: boolean

  constructor(findings: readonly Finding[], isColored: boolean) {
    this.findings = findings
    this.isColored = isColored
  }

  toJSON(): FindingJson[] {
    return this.findings.map(({ code, level, text, origin, reference }) => ({
      code,
      documentationUrl: documentationUrl(code),
      level,
      message: text,
      origin,
      ...(reference !== undefined && { reference }),
    }))
  }
}

/** One line a finding; an empty line when there is none. */
export function renderLog({ findings, isColored }: AnalysisOutput): string {
  return findings.length === 0 ? '\n' : findings.map((finding) => logLine(finding, isColored)).join('\n')
}

const RED = '\u001b[1;31m'
const YELLOW = '\u001b[33m'
const RESET = '\u001b[0m'
const COLORS: Readonly<Record<Severity, string>> = { Error: RED, Warning: YELLOW, Info: '' }

function logLine({ code, level, text, origin, reference, cluster }: Finding, isColored: boolean): string {
  const color = isColored ? COLORS[level] : ''
  const place = `(${origin}${reference === undefined ? '' : ` ${reference}`})`
  const where = cluster === undefined ? place : `[cluster-${cluster}] ${place}`
  return `${color}${level}${color === '' ? '' : RESET} [${code}] ${where} ${text}`
}

/** Whether standard output takes colours. */
export function takesColor(env: NodeJS.ProcessEnv): boolean {
  return process.stdout.isTTY === true && env['TERM'] !== 'dumb' && !env['NO_COLOR']
}
