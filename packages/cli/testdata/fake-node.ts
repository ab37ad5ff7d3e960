/** A node whose pods are what a test says: programs in containers are functions, ports of pods are servers of the test. */
import { connect } from 'node:net'
import type { LogOptions, PodBackend } from '@lateen/apiserver'
import type { KubeObject } from '@lateen/api'
import type { KubeClient } from '@lateen/kube'

export interface Program {
  readonly stdout?: string | Buffer
  readonly stderr?: string
  /** 0 when not given. */
  readonly exitCode?: number
}

export interface FakePod {
  /** Servers on 127.0.0.1, by the pod's own port. */
  readonly ports?: Readonly<Record<number, number>>
  /** What a command in a container does; undefined: there is no such program. */
  readonly run?: (command: readonly string[], container: string) => Program | undefined
  /** By container. */
  readonly logs?: Readonly<Record<string, string>>
}

export interface FakeNode {
  readonly backend: PodBackend
  /** By `namespace/name`. */
  readonly pods: Map<string, FakePod>
  /** `namespace/name container command...` of every program that was run. */
  readonly ran: string[]
  /** How each log was asked for. */
  readonly logged: { readonly container: string; readonly options: LogOptions }[]
}

export function fakeNode(): FakeNode {
  const pods = new Map<string, FakePod>()
  const ran: string[] = []
  const logged: FakeNode['logged'] = []
  const podOf = (namespace: string, name: string): FakePod => {
    const pod = pods.get(`${namespace}/${name}`)
    if (pod) return pod
    throw Object.assign(new Error(`pod ${name}.${namespace} does not run here`), { code: 404 })
  }
  return {
    pods,
    ran,
    logged,
    backend: {
      logs: async (namespace, name, container, options, out) => {
        logged.push({ container, options })
        out.end(podOf(namespace, name).logs?.[container] ?? '')
      },
      exec: async (namespace, name, container, command, { stdout, stderr }) => {
        ran.push(`${namespace}/${name} ${container} ${command.join(' ')}`)
        const done = podOf(namespace, name).run?.(command, container)
        if (!done) throw Object.assign(new Error(`exec: "${command[0]}": executable file not found in $PATH`), { code: 500 })
        stdout?.write(done.stdout ?? '')
        stderr?.write(done.stderr ?? '')
        return { exitCode: done.exitCode ?? 0 }
      },
      attach: () => Promise.reject(new Error('nothing is attached to here')),
      portForward: async (namespace, name, port) => {
        const local = podOf(namespace, name).ports?.[port]
        return new Promise((resolve, reject) => {
          const refused = () => reject(new Error(`connect ECONNREFUSED 127.0.0.1:${port}`))
          if (local === undefined) return refused()
          const socket = connect(local, '127.0.0.1', () => resolve(socket))
          socket.once('error', refused)
        })
      },
    },
  }
}

export interface RunningPod {
  readonly name: string
  readonly namespace: string
  readonly labels?: Readonly<Record<string, string>>
  readonly containers?: readonly string[]
  /** `Running` when not given. */
  readonly phase?: string
}

/** Writes a pod to the API server, as one that the node runs. */
export async function runPod(client: KubeClient, { name, namespace, labels = {}, containers = ['app'], phase = 'Running' }: RunningPod): Promise<void> {
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: { nodeName: 'here', containers: containers.map((container) => ({ name: container, image: container })) },
  }
  const path = `/api/v1/namespaces/${namespace}/pods`
  await client.request('POST', path, pod)
  const status = { phase, conditions: [{ type: 'Ready', status: phase === 'Running' ? 'True' : 'False' }] }
  await client.request('PATCH', `${path}/${name}/status`, { status }, { contentType: 'application/merge-patch+json' })
}

export async function makeNamespace(client: KubeClient, name: string): Promise<void> {
  await client.request('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
}
