/** A report as text: what happens first, then each step with its cause. */
import type { Branch, Cause, Report, Step } from './report.ts'

export function renderReport(report: Report, style: 'table' | 'short'): string {
  const { request, branches } = report
  const head = `${request.method} ${request.url} from ${request.from}${request.proxy === 'router' ? ' (gateway)' : ''}`
  const results = branches.map((branch) => `  ${share(branch)}${branch.result}${branch.flag ? ` (flag ${branch.flag})` : ''}`)
  if (style === 'short') return [head, ...results].join('\n')
  const width = Math.max(...[...report.steps, ...branches.flatMap(({ steps }) => steps)].map(({ stage }) => stage.length), 0)
  const lines = [head, ...results, '', ...report.steps.flatMap((step) => stepLines(step, width, ''))]
  for (const branch of branches) {
    if (branches.length > 1) lines.push('', `${share(branch)}${branch.result}`)
    let proxy = request.from
    for (const step of branch.steps) {
      if (step.proxy !== proxy) lines.push(`at ${step.proxy}`)
      proxy = step.proxy
      lines.push(...stepLines(step, width, ''))
    }
  }
  if (report.notes.length > 0) lines.push('', ...report.notes.map((note) => `note: ${note}`))
  return lines.join('\n')
}

const share = ({ percent }: Branch): string => (percent === 100 ? '' : `${percent} %: `)

function stepLines({ stage, name, details, causes }: Step, width: number, indent: string): string[] {
  const gap = ' '.repeat(width + 4)
  const because = causes.map((cause) => `<- ${causeText(cause)}`)
  return [
    `${indent}  ${stage.padEnd(width)}  ${name || '(unnamed)'}`,
    ...[...details, ...because].map((detail) => `${indent}${gap}${detail}`),
  ]
}

export function causeText({ kind, namespace, name, path, file }: Cause): string {
  return `${kind} ${namespace}/${name}${path ? ` ${path}` : ''}${file ? ` (${file})` : ''}`
}
