/** `status`: what of the mesh runs, and what to do when something does not. */
import { homeAt } from '../../mesh/home.ts'
import { isAlive } from '../../mesh/process-record.ts'
import { isSupervised, type MeshState, readState } from '../../mesh/state.ts'
import { askMesh, listDeployments, notReadyPods } from '../../mesh/workloads.ts'
import { table } from '../../render/table.ts'
import { command, HOME_FLAG, OUTPUT_FLAG, Outcome } from '../../shell/command.ts'
import { EXIT } from '../../shell/exit-codes.ts'
import { rootPart } from '../ca/root-part.ts'

interface Part {
  readonly component: string
  readonly status: string
  readonly detail: string
}

export interface StatusReport {
  readonly home: string
  readonly state: 'down' | 'starting' | 'ready' | 'degraded' | 'stopping' | 'failed'
  readonly kubeconfig?: string
  readonly api?: string
  readonly gateway?: string
  readonly gatewayTls?: string
  readonly components: readonly Part[]
  readonly problems: readonly string[]
  readonly remedy?: string
}

export const status = command<StatusReport>({
  help: 'Shows the state of the mesh of this home. The exit code is 0 when everything is ready and 1 when not.',
  flags: [OUTPUT_FLAG, HOME_FLAG],
  examples: ['lateen status', 'lateen status -o json'],
  async run({ home }) {
    const report = await inspect(home)
    return new Outcome(report, report.state === 'ready' ? EXIT.ok : EXIT.failure)
  },
  render: renderReport,
})

async function inspect(root: string): Promise<StatusReport> {
  const home = homeAt(root)
  const state = readState(home)
  if (!state) return { home: root, state: 'down', components: [], problems: [], remedy: 'lateen up' }
  if (!isSupervised(state)) return unsupervised(root, state)
  const { ports } = state
  const addresses = {
    kubeconfig: home.kubeconfig,
    api: `https://127.0.0.1:${ports.api}`,
    gateway: `http://127.0.0.1:${ports.http}`,
    gatewayTls: `https://127.0.0.1:${ports.https}`,
  }
  const processes = processParts(state)
  if (state.phase !== 'ready') {
    return { home: root, state: state.phase, ...addresses, components: processes, problems: [state.message] }
  }
  const { parts, problems } = await workloadParts(root)
  const ready = problems.length === 0 && processes.every((part) => part.status !== 'gone')
  return { home: root, state: ready ? 'ready' : 'degraded', ...addresses, components: [...processes, ...parts], problems }
}

/** The supervisor has gone: either after `down` or by force. */
function unsupervised(root: string, state: MeshState): StatusReport {
  const left = [state.cluster, state.node].filter((record) => record !== undefined && isAlive(record))
  if (state.phase === 'failed') return { home: root, state: 'failed', components: [], problems: [state.message], remedy: 'lateen up' }
  if (left.length === 0) return { home: root, state: 'down', components: [], problems: [], remedy: 'lateen up' }
  return {
    home: root,
    state: 'degraded',
    components: processParts(state),
    problems: [`the supervisor (process ${state.supervisor.pid}) has gone, while the mesh goes on without being watched`],
    remedy: 'lateen up takes it over again; lateen down ends it',
  }
}

function processParts(state: MeshState): Part[] {
  const part = (component: string, record: MeshState['cluster'], detail: string): Part => ({
    component,
    status: record && isAlive(record) ? 'running' : 'gone',
    detail: record ? `process ${record.pid}${detail}` : '',
  })
  return [
    part('supervisor', state.supervisor, `, since ${state.startedAt}`),
    part('cluster', state.cluster, state.restarts > 0 ? `, started again ${state.restarts} times` : ''),
    {
      component: 'internet',
      status: state.internet ? 'on' : 'off',
      detail: state.internet ? 'pods reach networks outside' : 'pods reach this machine alone; lateen up --internet on',
    },
  ]
}

const EXPIRING: ReadonlySet<string> = new Set(['expired', 'expires soon'])

async function workloadParts(root: string): Promise<{ parts: Part[]; problems: string[] }> {
  try {
    return await askMesh(homeAt(root), async (client) => {
      const deployments = await listDeployments(client)
      const parts = deployments.map(({ namespace, name, ready, wanted }) => ({
        component: namespace === 'istio-system' ? name : `${namespace}/${name}`,
        status: ready >= wanted ? 'ready' : 'not ready',
        detail: `${ready}/${wanted} pods`,
      }))
      const root = await rootPart(client)
      const problems = [
        ...(await notReadyPods(client)),
        ...(root && EXPIRING.has(root.status) ? [`the root certificate ${root.status}: ${root.detail}; see "lateen ca rotate"`] : []),
      ]
      return { parts: root ? [...parts, root] : parts, problems }
    })
  } catch (error) {
    return { parts: [], problems: [`the API server does not answer: ${error instanceof Error ? error.message : String(error)}`] }
  }
}

function renderReport(report: StatusReport): string {
  const head = [`mesh ${report.home}: ${report.state}`]
  const addresses = [
    ['API server', report.api],
    ['gateway', report.gateway],
    ['gateway TLS', report.gatewayTls],
    ['kubeconfig', report.kubeconfig],
  ].flatMap(([name, value]) => (value ? [`  ${(name ?? '').padEnd(12)} ${value}`] : []))
  const parts =
    report.components.length > 0
      ? [
          '',
          table(
            ['COMPONENT', 'STATUS', 'DETAIL'],
            report.components.map((p) => [p.component, p.status, p.detail]),
          ),
        ]
      : []
  const problems = report.problems.length > 0 ? ['', ...report.problems] : []
  const remedy = report.remedy ? ['', `next: ${report.remedy}`] : []
  return [...head, ...addresses, ...parts, ...problems, ...remedy].join('\n')
}
