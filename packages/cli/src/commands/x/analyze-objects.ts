/** `x analyze-objects`: analyses the objects of files as if they were all that a cluster holds. */
import { type AnyResource, analyze, DEFAULT_SETTINGS, defaultResources, type Settings, selectFindings, World } from '@lateen/analysis'
import { readInputFiles } from '../../input/files.ts'
import { command } from '../../shell/command.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { chosenAnalyzers } from '../analyze/analyze.ts'
import { readFileResources } from '../analyze/file-resources.ts'
import { ALL_NAMESPACES, ANALYZER, COLOR, MESH_CONFIG, OUTPUT } from '../analyze/flags.ts'
import { meshConfigOfFile } from '../analyze/mesh-settings.ts'
import { AnalysisOutput, renderLog, takesColor } from '../analyze/output.ts'

export const analyzeObjects = command<AnalysisOutput>({
  help: "Analyses the objects of files as if they were all that a cluster holds, beside the installation's own ingress gateway. Pods, Services and other kinds that run count as they do there.",
  args: [{ name: 'file', help: 'file or folder; - for standard input', variadic: true }],
  flags: [ALL_NAMESPACES, OUTPUT, MESH_CONFIG, ANALYZER, COLOR, ...KUBE_FLAGS],
  examples: ['lateen x analyze-objects -A -o json cluster.yaml', 'kubectl get all,istio-io -A -o yaml | lateen x analyze-objects -A -'],
  async run({ args, flags, env, progress }) {
    const { files } = readInputFiles(args, { recursive: false })
    const path = flags.text('meshConfigFile')
    const settings: Partial<Settings> = { ...(path ? meshConfigOfFile(path) : {}), now: Date.now() }
    const { resources, unreadable, overlooked } = readFileResources(files, { defaultNamespace: 'default', leaveOut: new Set() })
    for (const line of [...unreadable, ...overlooked]) progress.note(line)
    const { meshConfig } = { ...DEFAULT_SETTINGS, ...settings }
    const all: AnyResource[] = [...resources, ...defaultResources(meshConfig, flags.text('istioNamespace') || 'istio-system')]
    const { findings } = analyze(new World(all, settings), { analyzers: chosenAnalyzers(flags.list('analyzer')) })
    const namespace = flags.on('all-namespaces') ? {} : { namespace: flags.text('namespace') || 'default' }
    return new AnalysisOutput(selectFindings(findings, namespace), flags.given('color') ? flags.on('color') : takesColor(env))
  },
  render: renderLog,
})
