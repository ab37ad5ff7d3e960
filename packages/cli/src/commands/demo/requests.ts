/** Real requests through the gateway, and what their answers say. */
import { request } from 'node:http'

export interface Answer {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  readonly body: string
  readonly milliseconds: number
}

export interface Request {
  readonly port: number
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
}

const TIMEOUT_MS = 15_000
const PARALLEL = 4
const MOST_BYTES = 1 << 20

/** One request on a connection of its own; never rejects. */
export function send({ port, path, headers = {} }: Request): Promise<Answer> {
  const began = performance.now()
  return new Promise((resolve) => {
    const settle = (status: number, body: string) => resolve({ status, body, milliseconds: performance.now() - began })
    const sent = request({ host: '127.0.0.1', port, path, headers, agent: false, timeout: TIMEOUT_MS }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        if (body.length < MOST_BYTES) body += chunk
      })
      response.on('end', () => settle(response.statusCode ?? 0, body))
      response.on('error', () => settle(0, ''))
    })
    sent.on('timeout', () => sent.destroy())
    sent.on('error', () => settle(0, ''))
    sent.end()
  })
}

/** `count` requests, a few at a time. */
export async function sendMany(count: number, what: Request): Promise<Answer[]> {
  const answers: Answer[] = []
  let begun = 0
  const worker = async () => {
    while (begun++ < count) answers.push(await send(what))
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  return answers
}

/** How many answers are of which kind, most frequent first. */
export function countBy(answers: readonly Answer[], kindOf: (answer: Answer) => string): [string, number][] {
  const counts = new Map<string, number>()
  for (const answer of answers) counts.set(kindOf(answer), (counts.get(kindOf(answer)) ?? 0) + 1)
  return [...counts].sort(([, a], [, b]) => b - a)
}

/** The time within which `share` of the answers came, in milliseconds. */
export function percentile(answers: readonly Answer[], share: number): number {
  const sorted = answers.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
