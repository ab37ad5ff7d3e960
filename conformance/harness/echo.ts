/**
 * The echo app of `fixtures/echo` in pods: what it received is counted there, and calls are made by it, behind its sidecar.
 *
 * Tests reach it through one port-forward to one pod without a sidecar (the driver), which passes on to the control ports of the others.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CallAnswer, CallSpec } from '../fixtures/echo/call.ts'
import type { Behaviour, Received } from '../fixtures/echo/ledger.ts'
import type { Mesh } from './mesh.ts'

export type { CallSpec } from '../fixtures/echo/call.ts'
export type { Behaviour, Received } from '../fixtures/echo/ledger.ts'

const SOURCE = join(import.meta.dirname, '../fixtures/echo')
const CONTROL_PORT = 9999

export interface Answer extends CallAnswer {
  /** What the app says it received, where the answer came from it. */
  readonly echo?: Received
  /** The pod that answered; empty when none did. */
  readonly pod: string
}

export interface EchoPod {
  readonly name: string
  readonly namespace: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  /** `PORT=KIND`; else `8080=http`. */
  readonly listen?: readonly string[]
  /** Whether it gets a sidecar; else as its namespace says. */
  readonly inject?: boolean
  readonly env?: Readonly<Record<string, string>>
  readonly serviceAccount?: string
  /** Secrets by where they are mounted. */
  readonly secrets?: Readonly<Record<string, string>>
  readonly terminationGracePeriodSeconds?: number
  /** Lines of `/etc/hosts`: names by address. */
  readonly hostAliases?: Readonly<Record<string, readonly string[]>>
}

export interface EchoService {
  readonly name: string
  readonly namespace: string
  readonly selector?: Readonly<Record<string, string>>
  /** By name: `http: [80, 8080]` is port 80 to port 8080 of the pods. */
  readonly ports?: Readonly<Record<string, readonly [number, number]>>
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly headless?: boolean
}

/** The line before it makes kubectl read YAML, so that YAML texts may follow. */
const document = (object: unknown) => `---\n${JSON.stringify(object)}\n`

/** Objects as one text for `kubectl apply -f -`. */
export const documents = (...objects: readonly unknown[]) => objects.map(document).join('')

/** The app's source as a ConfigMap: what its pods of this namespace run. */
export function echoApp(namespace: string): string {
  const files = readdirSync(SOURCE).filter((name) => name.endsWith('.ts'))
  const data = Object.fromEntries(files.map((name) => [name, readFileSync(join(SOURCE, name), 'utf8')]))
  return document({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'echo-app', namespace }, data })
}

export function echoPod(pod: EchoPod): string {
  const { name, namespace, labels = {}, annotations = {}, listen = ['8080=http'], inject, env = {}, serviceAccount, secrets = {} } = pod
  const mounts = Object.entries(secrets).map(([mountPath, secretName], at) => ({ name: `secret-${at}`, mountPath, secretName }))
  return document({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels: { app: name, ...labels, ...(inject === undefined ? {} : { 'sidecar.istio.io/inject': String(inject) }) },
      annotations: { 'traffic.sidecar.istio.io/excludeInboundPorts': String(CONTROL_PORT), ...annotations },
    },
    spec: {
      ...(serviceAccount ? { serviceAccountName: serviceAccount } : {}),
      terminationGracePeriodSeconds: pod.terminationGracePeriodSeconds ?? 1,
      hostAliases: Object.entries(pod.hostAliases ?? {}).map(([ip, hostnames]) => ({ ip, hostnames })),
      containers: [
        {
          name: 'echo',
          image: 'node',
          args: ['--max-old-space-size=64', '--disable-warning=ExperimentalWarning', '/app/main.ts', ...listen],
          env: Object.entries({ POD_NAME: name, VERSION: labels['version'] ?? '', ...env }).map(([key, value]) => ({ name: key, value })),
          ports: listen.map((word) => ({ containerPort: Number.parseInt(word, 10) })),
          readinessProbe: { httpGet: { path: '/ready', port: CONTROL_PORT }, periodSeconds: 1 },
          volumeMounts: [{ name: 'app', mountPath: '/app' }, ...mounts.map((mount) => ({ name: mount.name, mountPath: mount.mountPath }))],
        },
      ],
      volumes: [
        { name: 'app', configMap: { name: 'echo-app' } },
        ...mounts.map((mount) => ({ name: mount.name, secret: { secretName: mount.secretName } })),
      ],
    },
  })
}

export function echoService({ name, namespace, selector = { app: name }, ports = { http: [80, 8080] }, ...rest }: EchoService): string {
  return document({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace,
      ...(rest.labels ? { labels: rest.labels } : {}),
      ...(rest.annotations ? { annotations: rest.annotations } : {}),
    },
    spec: {
      selector,
      ...(rest.headless ? { clusterIP: 'None' } : {}),
      ports: Object.entries(ports).map(([port, [number, targetPort]]) => ({ name: port, port: number, targetPort })),
    },
  })
}

/** Waits until pods are ready. */
export async function podsReady(mesh: Mesh, namespace: string, names: readonly string[]): Promise<void> {
  await mesh.kubectl('wait', '--for=condition=Ready', ...names.map((name) => `pod/${name}`), '-n', namespace, '--timeout=55s')
}

export interface Echo {
  /** Calls made by the pod `namespace/name`. */
  call(from: string, spec: CallSpec): Promise<Answer[]>
  /** One call made by the pod `namespace/name`. */
  callOnce(from: string, spec: CallSpec): Promise<Answer>
  /** What the pod received; `test` is the request's header `x-test`, `path` how the path (of TCP: the line) begins. */
  received(pod: string, wanted: { readonly test?: string; readonly path?: string; readonly protocol?: string }): Promise<Received[]>
  /** How the whole pod behaves from now on; `{}` is healthy. */
  set(pod: string, behaviour: Behaviour): Promise<void>
  close(): Promise<void>
}

/** @throws Error when the driver cannot be reached */
export async function connectEcho(mesh: Mesh, driver: { readonly namespace: string; readonly pod: string }): Promise<Echo> {
  const { forwarder, base } = await forward(mesh, driver)
  const addresses = new Map<string, string>()

  const control = async <T>(pod: string, path: string, body?: unknown): Promise<T> => {
    const to = addresses.get(pod) ?? (await addressOf(mesh, pod))
    addresses.set(pod, to)
    const onward = path.includes('?') ? '&' : '?'
    const response = await fetch(`${base}${path}${onward}to=${to}:${CONTROL_PORT}`, {
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new Error(`${pod} ${path}: the driver ${driver.namespace}/${driver.pod} does not answer`, { cause: error })
    })
    // The pod may have been made again, with another address.
    if (response.status === 502) addresses.delete(pod)
    if (!response.ok) throw new Error(`${pod} ${path}: ${await response.text()}`)
    return response.json() as Promise<T>
  }
  const call = async (from: string, spec: CallSpec) => (await control<CallAnswer[]>(from, '/call', spec)).map(withEcho)
  return {
    call,
    callOnce: async (from, spec) => {
      const [answer] = await call(from, { ...spec, count: 1 })
      if (!answer) throw new Error(`${from} made no call`)
      return answer
    },
    received: (pod, wanted) => control(pod, `/received?${new URLSearchParams(wanted)}`),
    set: async (pod, behaviour) => {
      await control(pod, '/set', behaviour)
    },
    close: () =>
      new Promise((resolve) => {
        forwarder.once('close', () => resolve())
        forwarder.kill()
      }),
  }
}

function withEcho(answer: CallAnswer): Answer {
  const header = answer.headers['x-pod']
  const echo = echoOf(answer.body)
  return { ...answer, pod: echo?.pod ?? (typeof header === 'string' ? header : ''), ...(echo ? { echo } : {}) }
}

/** A WebSocket's first text is the app's, further ones are echoes. */
function echoOf(body: string): Received | undefined {
  const [first = ''] = body.split('\n')
  if (!first.startsWith('{"pod"')) return undefined
  try {
    return JSON.parse(first)
  } catch {
    return undefined
  }
}

/** The address of the pod `namespace/name`. */
export async function addressOf(mesh: Mesh, pod: string): Promise<string> {
  const [namespace = '', name = ''] = pod.split('/')
  return mesh.kubectl('get', 'pod', name, '-n', namespace, '-o', 'jsonpath={.status.podIP}')
}

function forward(mesh: Mesh, { namespace, pod }: { readonly namespace: string; readonly pod: string }) {
  return new Promise<{ forwarder: ChildProcess; base: string }>((resolve, reject) => {
    const forwarder = spawn('kubectl', ['port-forward', '-n', namespace, `pod/${pod}`, `:${CONTROL_PORT}`], {
      env: mesh.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const onText = (chunk: Buffer) => {
      output += chunk
      const [, port] = /127\.0\.0\.1:(\d+) ->/.exec(output) ?? []
      if (port) resolve({ forwarder, base: `http://127.0.0.1:${port}` })
    }
    forwarder.stdout.on('data', onText)
    forwarder.stderr.on('data', onText)
    forwarder.on('error', reject)
    forwarder.on('close', (code) => reject(new Error(`kubectl port-forward ended with ${code}: ${output}`)))
  })
}
