/** `kube-inject`: proxies into the workloads of files, by the engine of the admission webhook. */
import { writeFileSync } from 'node:fs'
import { injectObject } from '@lateen/inject'
import { parseAllDocuments } from 'yaml'
import { fields } from '../../config-dump/fields.ts'
import { reading, readText } from '../../input/read-text.ts'
import { sortedYaml } from '../../render/sorted-yaml.ts'
import { command, type Flag } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { XDS_FLAGS } from '../../shell/xds-flags.ts'
import { readSettings } from './settings.ts'

const MOST_DOCUMENTS = 10_000

const file = (name: string, what: string): Flag => ({ name, value: 'FILE', help: what })

export const kubeInject = command<string>({
  help: 'Puts proxies into the pods of workloads, as the admission webhook does, and writes the result. Everything else in the files comes out as it was. The settings are those of the cluster, or those of files: with --injectConfigFile, --valuesFile and --meshConfigFile no cluster is needed.',
  flags: [
    { name: 'filename', short: 'f', value: 'FILE', help: 'file with workloads; - is the standard input' },
    { name: 'output', short: 'o', value: 'FILE', help: 'where the result is written (default: standard output)' },
    file('injectConfigFile', 'settings of the injector: the key "config" of ConfigMap istio-sidecar-injector'),
    file('valuesFile', 'installation values: the key "values" of ConfigMap istio-sidecar-injector'),
    file('meshConfigFile', 'mesh configuration: the key "mesh" of ConfigMap istio'),
    file('operatorFileName', 'an IstioOperator, for values and mesh configuration'),
    { name: 'meshConfigMapName', value: 'NAME', default: 'istio', help: 'ConfigMap of the mesh configuration' },
    { name: 'revision', short: 'r', value: 'REVISION', help: 'settings of the control plane of this revision' },
    { name: 'webhookConfig', value: 'NAME', default: 'istio-sidecar-injector', hidden: true, help: 'accepted' },
    ...XDS_FLAGS,
    ...KUBE_FLAGS,
  ],
  examples: [
    'kubectl apply -f <(lateen kube-inject -f deployment.yaml)',
    'kubectl get deployment web -o yaml | lateen kube-inject -f - | kubectl apply -f -',
    'lateen kube-inject -f deployment.yaml --injectConfigFile inject.yaml --valuesFile values.json --meshConfigFile mesh.yaml',
  ],
  async run(context) {
    const { flags, progress } = context
    const path = flags.text('filename')
    if (!path) throw new CommandError('name the file with workloads: -f FILE, or -f - for the standard input', { exitCode: EXIT.usage })
    const objects = objectsOf(readText(path), path)
    const settings = await readSettings(context)
    const injected = objects.map((object) => injectObject(object, { settings, namespace: flags.text('namespace') || 'default' }))
    const problems = injected.flatMap((each) => each.problems)
    if (problems.length > 0) throw new CommandError(`${path}: ${problems.join('\n')}`, { exitCode: EXIT.data })
    for (const { name, injected: done, reason } of injected.flatMap((each) => each.results)) {
      if (!done) progress.note(`${name}: not injected: ${reason}`)
    }
    const text = injected.map(({ object }) => `${sortedYaml(object)}---\n`).join('')
    const output = flags.text('output')
    if (!output) return text
    reading(output, () => writeFileSync(output, text))
    return ''
  },
  render: (text) => text,
})

function objectsOf(text: string, path: string): Readonly<Record<string, unknown>>[] {
  const documents = parseAllDocuments(text)
  if (!Array.isArray(documents)) return []
  if (documents.length > MOST_DOCUMENTS) {
    throw new CommandError(`${path}: ${documents.length} documents; at most ${MOST_DOCUMENTS} are read`, { exitCode: EXIT.data })
  }
  return documents
    .map((document) => {
      const [fault] = document.errors
      if (fault) throw new CommandError(`${path}:${fault.linePos?.[0].line ?? 1}: ${fault.message.split('\n')[0]}`, { exitCode: EXIT.data })
      return fields(document.toJS({ maxAliasCount: 100 }))
    })
    .filter((object) => Object.keys(object).length > 0)
}
