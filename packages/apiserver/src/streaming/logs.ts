/** `kubectl logs`: the backend's text, streamed. */
import { Writable } from 'node:stream'
import { badRequest, StatusError } from '../errors.ts'
import { podOf, type ReviewServices } from '../handlers/review-services.ts'
import type { ApiAnswer, ApiRequest } from '../http/request.ts'
import type { LogOptions } from '../options.ts'
import type { Kind } from '../registry/kind.ts'
import { at, isObj, type Obj, objs, str, strings } from '../values.ts'

/** The container that is meant. @throws StatusError 400 when it is not in the pod or must be named */
export function chooseContainer(pod: Obj, asked: string): string {
  const containers = objs(at(pod, 'spec', 'containers')).map((c) => str(c['name']))
  const others = [...objs(at(pod, 'spec', 'initContainers')), ...objs(at(pod, 'spec', 'ephemeralContainers'))].map((c) => str(c['name']))
  const name = str(at(pod, 'metadata', 'name'))
  if (asked !== '') {
    if (![...containers, ...others].includes(asked)) throw badRequest(`container ${asked} is not valid for pod ${name}`)
    return asked
  }
  const preferred = strings(at(pod, 'metadata', 'annotations'))['kubectl.kubernetes.io/default-container']
  if (preferred && containers.includes(preferred)) return preferred
  const first = containers[0]
  if (containers.length === 1 && first !== undefined && others.length === 0) return first
  if (containers.length === 1 && first !== undefined) return first
  throw badRequest(
    `a container name must be specified for pod ${name}, choose one of: [${containers.join(' ')}]${others.length > 0 ? ` or one of the init containers: [${others.join(' ')}]` : ''}`,
  )
}

/** An error of the backend as an answer. */
export function backendError(error: unknown): StatusError {
  if (error instanceof StatusError) return error
  const message = error instanceof Error ? error.message : String(error)
  const code = isObj(error) || error instanceof Error ? Reflect.get(error, 'code') : undefined
  const status = typeof code === 'number' && code >= 400 && code < 600 ? code : 500
  return new StatusError(status, status === 400 ? 'BadRequest' : status === 404 ? 'NotFound' : 'InternalError', message)
}

/** @throws StatusError */
export function logAnswer(services: ReviewServices, kind: Kind, namespace: string, name: string, request: ApiRequest): Promise<ApiAnswer> {
  const pod = podOf(services.core, kind, namespace, name)
  const { query } = request
  const container = chooseContainer(pod, query.get('container') ?? '')
  const backend = services.pods()
  if (!backend) throw new StatusError(503, 'ServiceUnavailable', 'no node agent runs pods here, so there are no logs')
  if (str(at(pod, 'spec', 'nodeName')) === '') throw badRequest(`pod ${name} does not have a host assigned`)
  const number = (field: string) => {
    const text = query.get(field)
    if (text === null || text === '') return undefined
    const value = Number(text)
    if (!Number.isInteger(value) || value < 0) throw badRequest(`${field}: Invalid value: "${text}": must be a whole number, not negative`)
    return value
  }
  const flag = (field: string) => ['true', '1'].includes(query.get(field) ?? '')
  const tailLines = number('tailLines')
  const sinceSeconds = number('sinceSeconds')
  const limitBytes = number('limitBytes')
  const sinceTime = query.get('sinceTime') ?? ''
  const options: LogOptions = {
    follow: flag('follow'),
    timestamps: flag('timestamps'),
    previous: flag('previous'),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceTime ? { sinceTime } : {}),
  }
  return firstChunk(async (out, signal) => backend.logs(namespace, name, container, options, out, signal), request.signal)
}

/** Waits for the first text or the end, so that a refusal is still an error answer and not a broken stream. */
function firstChunk(run: (out: Writable, signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    let pending: Array<{ chunk: Buffer; done: (error?: Error | null) => void }> = []
    let sink: ((chunk: Buffer, done: (error?: Error | null) => void) => void) | undefined
    let started = false
    let finished = false
    let end: () => void = () => undefined
    const cancel = new AbortController()
    signal.addEventListener('abort', () => cancel.abort(), { once: true })
    const start = () => {
      if (started) return
      started = true
      resolve({
        status: 200,
        contentType: 'text/plain; charset=utf-8',
        start: (target, closed) => {
          closed.addEventListener('abort', () => cancel.abort(), { once: true })
          sink = (chunk, done) => {
            target.write(chunk)
            setImmediate(done)
          }
          end = () => target.end()
          if (finished) end()
          for (const { chunk, done } of pending) sink(chunk, done)
          pending = []
        },
      })
    }
    const out = new Writable({
      write(chunk: Buffer, _encoding, done) {
        if (sink) sink(chunk, done)
        else pending.push({ chunk, done })
        start()
      },
    })
    // `--follow` on a quiet container still answers at once.
    const quiet = setTimeout(start, 200)
    run(out, cancel.signal)
      .then(
        () => {
          start()
          out.end(() => {
            finished = true
            end()
          })
        },
        (error: unknown) => {
          finished = true
          if (!started && !cancel.signal.aborted) {
            started = true
            reject(backendError(error))
          } else end()
        },
      )
      .finally(() => clearTimeout(quiet))
  })
}
