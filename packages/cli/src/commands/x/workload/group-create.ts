/** `x workload group create`: a WorkloadGroup as YAML, for `kubectl apply -f -`. */
import type { WorkloadGroupSpec } from '@lateen/api'
import { sortedYaml } from '../../../render/sorted-yaml.ts'
import { type Context, command } from '../../../shell/command.ts'
import { CommandError } from '../../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../../shell/kube-flags.ts'

interface WorkloadGroup {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly spec: WorkloadGroupSpec
}

export const groupCreate = command<WorkloadGroup>({
  help: 'Prints a WorkloadGroup: the template for the WorkloadEntries of workloads outside the cluster. Nothing is sent to a cluster.',
  flags: [
    { name: 'name', value: 'NAME', help: 'name of the group' },
    { name: 'labels', short: 'l', value: 'K=V,…', type: 'commas', help: 'labels of its workloads' },
    { name: 'annotations', short: 'a', value: 'K=V,…', type: 'commas', help: 'annotations of its workloads' },
    { name: 'ports', short: 'p', value: 'NAME=PORT,…', type: 'commas', help: 'ports on which its workloads listen' },
    { name: 'serviceAccount', short: 's', value: 'NAME', default: 'default', help: 'service account that is their identity' },
    { name: 'network', value: 'NAME', help: 'network in which they are' },
    { name: 'locality', value: 'REGION/ZONE/SUBZONE', help: 'where they are' },
    { name: 'weight', short: 'w', value: 'N', type: 'integer', help: 'their share of the load, relative to other endpoints' },
    ...KUBE_FLAGS,
  ],
  examples: ['lateen x workload group create --name db --namespace vms --labels app=db --ports mysql=3306 --serviceAccount db'],
  run: async ({ flags, progress }) => {
    const name = flags.text('name')
    const namespace = flags.text('namespace')
    if (!name) throw new CommandError('expecting a workload name')
    if (!namespace) throw new CommandError('expecting a workload namespace')
    return {
      apiVersion: 'networking.istio.io/v1',
      kind: 'WorkloadGroup',
      metadata: { name, namespace },
      spec: specOf(flags, (line) => progress.note(line)),
    }
  },
  render: (group) => sortedYaml(group),
})

function specOf(flags: Context['flags'], warn: (line: string) => void): WorkloadGroupSpec {
  const labels = pairs(flags.list('labels'))
  const annotations = pairs(flags.list('annotations'))
  const ports = Object.fromEntries(Object.entries(pairs(flags.list('ports'))).map(([name, port]) => [name, portNumber(name, port, warn)]))
  const network = flags.text('network')
  const locality = flags.text('locality')
  const weight = flags.integer('weight')
  return {
    metadata: { ...(!isEmpty(labels) && { labels }), ...(!isEmpty(annotations) && { annotations }) },
    template: {
      ...(!isEmpty(ports) && { ports }),
      ...(flags.text('serviceAccount') && { serviceAccount: flags.text('serviceAccount') ?? '' }),
      ...(network && { network }),
      ...(locality && { locality }),
      ...(weight && { weight }),
    },
  }
}

/** Text without `=` is a key with an empty value, as istioctl takes it. */
function pairs(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry) => {
      const equals = entry.indexOf('=')
      return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)]
    }),
  )
}

const LARGEST_PORT = 65_535

/** As istioctl, a port that is no number is written as 0, which no API server takes; it is said why. */
function portNumber(name: string, text: string, warn: (line: string) => void): number {
  const port = /^\d{1,10}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > LARGEST_PORT)
    warn(`Warning: port "${name}" is "${text}": a number from 1 to ${LARGEST_PORT} is wanted, as in ${name}=8080`)
  return port
}

const isEmpty = (map: object): boolean => Object.keys(map).length === 0
