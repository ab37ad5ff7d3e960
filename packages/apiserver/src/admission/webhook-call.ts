/** One call of a webhook over HTTPS, verified against its configuration's CA. */
import { Agent, request as httpsRequest } from 'node:https'
import type { ApiServerOptions } from '../options.ts'
import { isObj, num, type Obj, obj, str } from '../values.ts'

/** The webhook could not be asked, or its answer could not be understood. */
export class WebhookFailure extends Error {}

const MAX_ANSWER = 8 * 1024 * 1024
// Kept open between calls: a TLS handshake for each pod would dominate.
const agent = new Agent({ keepAlive: true, maxSockets: 32, timeout: 60_000 })

interface Target {
  readonly host: string
  readonly port: number
  readonly path: string
  /** The name that the certificate must have. */
  readonly name: string
  readonly shown: string
}

async function targetOf(config: Obj, resolve: ApiServerOptions['resolveService']): Promise<Target> {
  const service = config['service']
  if (isObj(service)) {
    const namespace = str(service['namespace'])
    const name = str(service['name'])
    const port = num(service['port'], 443)
    const path = str(service['path']) || '/'
    const { host, port: actual } = await resolve(namespace, name, port)
    return { host, port: actual, path, name: `${name}.${namespace}.svc`, shown: `https://${name}.${namespace}.svc:${port}${path}` }
  }
  const url = new URL(str(config['url']))
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 443),
    path: `${url.pathname}${url.search}`,
    name: url.hostname,
    shown: url.href,
  }
}

/** The parsed AdmissionReview that comes back. @throws WebhookFailure */
export async function postReview(config: Obj, resolve: ApiServerOptions['resolveService'], review: Obj, timeout: number): Promise<Obj> {
  let target: Target
  try {
    target = await targetOf(config, resolve)
  } catch (error) {
    const service = obj(config['service'])
    const shown = isObj(config['service'])
      ? `https://${str(service['name'])}.${str(service['namespace'])}.svc:${num(service['port'], 443)}${str(service['path']) || '/'}`
      : str(config['url'])
    throw new WebhookFailure(
      `failed to call webhook: Post "${shown}?timeout=${timeout / 1000}s": ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  const bundle = str(config['caBundle'])
  const ca = bundle === '' ? undefined : Buffer.from(bundle, 'base64').toString()
  const body = Buffer.from(JSON.stringify(review))
  const separator = target.path.includes('?') ? '&' : '?'
  const fail = (why: string) =>
    new WebhookFailure(
      `failed to call webhook: Post "${target.shown}${target.shown.includes('?') ? '&' : '?'}timeout=${timeout / 1000}s": ${why}`,
    )
  return new Promise<Obj>((resolveAnswer, reject) => {
    const signal = AbortSignal.timeout(timeout)
    const request = httpsRequest(
      {
        agent,
        host: target.host,
        port: target.port,
        path: `${target.path}${separator}timeout=${timeout / 1000}s`,
        method: 'POST',
        servername: /^[\d.]+$|:/.test(target.name) ? '' : target.name,
        ...(ca === undefined ? {} : { ca }),
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          'content-length': body.length,
          host: target.name,
          'user-agent': 'kube-apiserver-admission',
        },
        signal,
      },
      (response) => {
        const chunks: Buffer[] = []
        let size = 0
        response.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > MAX_ANSWER) request.destroy(new Error(`the answer is larger than ${MAX_ANSWER} bytes`))
          else chunks.push(chunk)
        })
        response.on('error', (error) => reject(fail(error.message)))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          if (response.statusCode !== 200) {
            reject(fail(`the server answered ${response.statusCode}: ${text.slice(0, 200)}`))
            return
          }
          try {
            const parsed: unknown = JSON.parse(text)
            if (!isObj(parsed) || parsed['kind'] !== 'AdmissionReview') throw new Error('it is not an AdmissionReview')
            resolveAnswer(parsed)
          } catch (error) {
            reject(fail(`the answer cannot be understood: ${error instanceof Error ? error.message : String(error)}`))
          }
        })
      },
    )
    request.on('error', (error) => reject(fail(signal.aborted ? 'context deadline exceeded' : error.message)))
    request.end(body)
  })
}
