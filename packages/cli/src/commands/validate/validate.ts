/** `validate`: whether files would be accepted: the checks of admission, without a cluster. */
import { ANALYZERS, analyze, RUNTIME_KINDS, World } from '@lateen/analysis'
import type { Severity } from '@lateen/base'
import { type InputFile, readInputFiles } from '../../input/files.ts'
import { type Context, command, Outcome } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { readFileResources } from '../analyze/file-resources.ts'
import { problemsOfFile, type ValidationProblem } from './problems.ts'

export const validate = command<string>({
  help: "Checks the objects of files as admission would: Istio's kinds, and of Kubernetes' own what a mesh needs of them.",
  flags: [
    { name: 'filename', short: 'f', value: 'FILE', type: 'commas', help: 'file or folder; - for standard input; may be repeated' },
    { name: 'referential', short: 'x', help: 'also check what the objects of the files say about each other' },
    ...KUBE_FLAGS,
  ],
  examples: ['lateen validate -f bookinfo-gateway.yaml', 'cat my-app.yaml | lateen validate -f -'],
  async run(context) {
    const names = context.flags.list('filename')
    if (names.length === 0) throw new CommandError('name the files to check: -f FILE', { exitCode: EXIT.failure })
    const { files } = readInputFiles(names, { recursive: true })
    const istioNamespace = context.flags.text('istioNamespace') || 'istio-system'
    const errors = files.flatMap((file) => sayFile(file, problemsOfFile(file, istioNamespace), context))
    if (context.flags.on('referential')) errors.push(...sayReferences(files, context))
    if (errors.length === 0) return ''
    const count = errors.length === 1 ? '1 error' : `${errors.length} errors`
    context.progress.note(`Error: ${count} occurred:\n${bullets(errors)}\n`)
    return new Outcome('', EXIT.failure)
  },
  render: (text) => text,
})

const bullets = (lines: readonly string[]): string => lines.map((line) => `\t* ${line}`).join('\n')

/** Says a file's warnings, or that it is fine; gives back its errors. */
function sayFile({ name }: InputFile, problems: readonly ValidationProblem[], { progress }: Context): string[] {
  const of = (severity: Severity) => problems.filter((problem) => problem.severity === severity).map(({ text }) => text)
  const errors = of('Error')
  const warnings = of('Warning')
  for (const note of of('Info')) progress.note(note)
  if (warnings.length > 0) progress.note(`"${name}" has warnings: \n${bullets(warnings)}\n`)
  else if (errors.length === 0) progress.note(`"${name}" is valid`)
  return errors
}

function sayReferences(files: readonly InputFile[], { progress, flags }: Context): string[] {
  const { resources } = readFileResources(files, { defaultNamespace: flags.text('namespace') || 'default', leaveOut: RUNTIME_KINDS })
  const analyzers = ANALYZERS.filter(({ name }) => !name.startsWith('schema.'))
  const { findings } = analyze(new World(resources), { analyzers, unavailable: RUNTIME_KINDS })
  const lines = (level: Severity) =>
    findings
      .filter((finding) => finding.level === level)
      .map(({ origin, reference = '', text, code }) => `${reference}: ${origin}: ${text} (${code})`)
  const warnings = lines('Warning')
  if (warnings.length > 0) progress.note(`The files have warnings: \n${bullets(warnings)}\n`)
  return lines('Error')
}
