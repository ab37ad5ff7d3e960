/** Envoy's administration port, on loopback. */
import { http } from './node-http.ts'

/** The answer of a request. */
export interface AdminAnswer {
  readonly status: number
  readonly body: string
}

const MAX_BODY = 8 << 20

export class EnvoyAdmin {
  readonly #port: number

  constructor(port: number) {
    this.#port = port
  }

  /** @throws Error when Envoy does not answer in time, or with more than 8 MB */
  request(method: 'GET' | 'POST', path: string, timeoutMs = 2000): Promise<AdminAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<AdminAnswer>()
    const request = http.request({
      host: '127.0.0.1',
      port: this.#port,
      method,
      path,
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
    })
    request.on('error', reject)
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        size += chunk.length
        if (size > MAX_BODY) request.destroy(new Error(`Envoy's answer to ${path} is over ${MAX_BODY} bytes`))
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }))
      response.on('error', reject)
    })
    request.end()
    return promise
  }

  /** Values of the statistics whose names match a regular expression. Histograms are left out. */
  async stats(filter: string): Promise<Map<string, number>> {
    const { body } = await this.request('GET', `/stats?filter=${encodeURIComponent(filter)}`)
    const values = new Map<string, number>()
    for (const line of body.split('\n')) {
      const colon = line.lastIndexOf(': ')
      const value = Number(line.slice(colon + 2))
      if (colon > 0 && Number.isFinite(value)) values.set(line.slice(0, colon), value)
    }
    return values
  }
}
