// What the sample servers share: starting, answering, calling each other, ending.
import { createServer, request as httpRequest } from 'node:http'

const DRAIN_MS = 3000

/** Starts a server whose handler may be async; a thrown error becomes a 500. Ends gently on SIGTERM. */
export function serve(port, handler) {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    Promise.resolve(handler(request, response, url)).catch((error) => {
      if (!response.headersSent) json(response, 500, { error: error.message })
      else response.destroy()
    })
  })
  server.keepAliveTimeout = 60_000
  server.listen(port, '0.0.0.0', () => console.log(`listening on ${port}`))
  server.on('error', (error) => {
    console.error(`cannot listen on ${port}: ${error.message}`)
    process.exit(1)
  })
  process.on('SIGTERM', () => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
    setTimeout(() => process.exit(0), DRAIN_MS).unref()
  })
  return server
}

export function json(response, status, value, headers = {}) {
  send(response, status, `${JSON.stringify(value)}\n`, { 'content-type': 'application/json', ...headers })
}

export function send(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers })
  response.end(body)
}

/** The headers by which a request is followed through the services, and the user. */
const FORWARDED = [
  'x-request-id', 'x-ot-span-context', 'x-datadog-trace-id', 'x-datadog-parent-id', 'x-datadog-sampling-priority', 'traceparent', 'tracestate',
  'x-cloud-trace-context', 'grpc-trace-bin', 'b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags', 'sw8',
  'end-user', 'user-agent', 'cookie', 'authorization', 'jwt',
]

export function forwardedHeaders(request) {
  return Object.fromEntries(FORWARDED.filter((name) => request.headers[name] !== undefined).map((name) => [name, request.headers[name]]))
}

/** A GET with a time limit: `{status, body}`; status 0 when there was no answer. */
export function get(url, headers, timeout) {
  return new Promise((resolve) => {
    const call = httpRequest(url, { headers, timeout }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => {
        if (body.length < 1 << 20) body += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode, body }))
    })
    const deadline = setTimeout(() => call.destroy(new Error('time-out')), timeout)
    call.on('close', () => clearTimeout(deadline))
    call.on('error', () => resolve({ status: 0, body: '' }))
    call.end()
  })
}

/** The request's body as text, at most `limit` bytes. */
export async function readBody(request, limit = 1 << 20) {
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > limit) throw new Error(`the body is larger than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

export function parseJson(text) {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** The port from the first argument or PORT, else the usual one. */
export function portOf(usual) {
  return Number(process.argv[2] ?? process.env.PORT ?? usual)
}
