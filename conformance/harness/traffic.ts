/** Requests, and what came of them: counted, not sampled. */
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Mesh } from './mesh.ts'

export interface Call {
  readonly path?: string
  readonly host?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
}

export interface Answer {
  /** HTTP status; 0 when there was none. */
  readonly status: number
  readonly body: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly milliseconds: number
  readonly error?: string
}

/** One request through the mesh's gateway. Failures are answers too: status 0 with the reason. */
export function callGateway(mesh: Pick<Mesh, 'httpPort'>, call: Call = {}, agent?: Agent): Promise<Answer> {
  const began = performance.now()
  const { path = '/', host, method = 'GET', headers = {}, timeoutMs = 10_000 } = call
  return new Promise((resolve) => {
    const fail = (error: Error) =>
      resolve({ status: 0, body: '', headers: {}, milliseconds: performance.now() - began, error: error.message })
    const options = {
      host: '127.0.0.1',
      port: mesh.httpPort,
      path,
      method,
      headers: { ...headers, ...(host ? { host } : {}) },
      timeout: timeoutMs,
    }
    const sent = request({ ...options, agent: agent ?? false }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => {
        body += chunk
      })
      response.on('error', fail)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body, headers: response.headers, milliseconds: performance.now() - began }),
      )
    })
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    sent.on('error', fail)
    sent.end()
  })
}

/** `count` requests, `parallel` at a time, counted by what `classify` says about each answer. */
export async function countAnswers(
  mesh: Pick<Mesh, 'httpPort'>,
  count: number,
  call: Call,
  classify: (answer: Answer) => string = ({ status }) => String(status),
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  let begun = 0
  const worker = async () => {
    while (begun < count) {
      begun++
      const kind = classify(await callGateway(mesh, call))
      counts[kind] = (counts[kind] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: 4 }, worker))
  return counts
}

export interface Load {
  readonly sent: () => number
  /** Ends the load and answers what failed: every answer that was not 200, by status and reason. */
  stop(): Promise<{ sent: number; failures: Record<string, number> }>
}

/** A steady load through the gateway until it is stopped, over kept-alive connections as a browser's or a client library's. */
export function startLoad(mesh: Pick<Mesh, 'httpPort'>, call: Call, { perSecond = 50 }: { perSecond?: number } = {}): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  const failures: Record<string, number> = {}
  let sent = 0
  let stopped = false
  const worker = async () => {
    while (!stopped) {
      const began = performance.now()
      const answer = await callGateway(mesh, call, agent)
      sent++
      if (answer.status !== 200) {
        const kind = answer.error ?? `${answer.status} ${answer.body.slice(0, 120)}`
        failures[kind] = (failures[kind] ?? 0) + 1
      }
      await delay(Math.max(0, 4000 / perSecond - (performance.now() - began)))
    }
  }
  const workers = Array.from({ length: 4 }, worker)
  return {
    sent: () => sent,
    stop: async () => {
      stopped = true
      await Promise.all(workers)
      agent.destroy()
      return { sent, failures }
    },
  }
}

/** `count` requests from inside a pod of `deployment`, in one exec; answers one line for each, by curl's `-w` format. */
export async function curlFromPod(
  mesh: Mesh,
  deployment: string,
  url: string,
  { count = 1, namespace = 'default', container = 'curl', args = '' } = {},
): Promise<string[]> {
  const loop = `for i in $(seq ${count}); do curl -s -o /tmp/body -m 10 -w '%{http_code} ' ${args} '${url}'; head -c 2000 /tmp/body | tr '\\n' ' '; echo; : > /tmp/body; done`
  const text = await mesh.kubectl('exec', `deploy/${deployment}`, '-n', namespace, '-c', container, '--', 'sh', '-c', loop)
  return text.split('\n').filter((line) => line.trim() !== '')
}
