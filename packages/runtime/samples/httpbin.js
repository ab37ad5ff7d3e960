// httpbin: answers with what it was asked.
import { createHash, randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { json, parseJson, portOf, readBody, send, serve } from './serve.js'

const MAX_BYTES = 100 << 10
const MAX_DELAY_S = 10
const METHODS = { '/get': 'GET', '/post': 'POST', '/put': 'PUT', '/patch': 'PATCH', '/delete': 'DELETE' }

serve(portOf(80), async (request, response, url) => {
  const { pathname } = url
  const [, first = '', second = '', third = ''] = pathname.split('/')
  const exact = METHODS[pathname]
  if (exact) return request.method === exact || (exact === 'GET' && request.method === 'HEAD') ? echo(request, response, url) : json(response, 405, { error: `use ${exact}` }, { allow: exact })
  switch (first) {
    case '':
      return send(response, 200, '<!doctype html><title>httpbin</title><h1>httpbin</h1><p>Try <a href="/get">/get</a>, <a href="/headers">/headers</a>, <a href="/status/418">/status/418</a>.</p>\n', HTML)
    case 'anything':
      return echo(request, response, url)
    case 'headers':
      return json(response, 200, { headers: headersOf(request) })
    case 'ip':
      return json(response, 200, { origin: originOf(request) })
    case 'user-agent':
      return json(response, 200, { 'user-agent': request.headers['user-agent'] ?? '' })
    case 'hostname':
      return json(response, 200, { hostname: hostname() })
    case 'status':
      return status(response, second)
    case 'delay':
      await delay(Math.min(Number(second) || 0, MAX_DELAY_S) * 1000)
      return echo(request, response, url)
    case 'response-headers':
      return responseHeaders(response, url)
    case 'redirect-to':
      return redirect(response, url.searchParams.get('url') ?? '/', Number(url.searchParams.get('status_code')) || 302)
    case 'redirect':
    case 'relative-redirect':
    case 'absolute-redirect':
      return redirect(response, Number(second) > 1 ? `/${first}/${Number(second) - 1}` : '/get', 302)
    case 'stream':
      return stream(request, response, url, second)
    case 'bytes':
    case 'stream-bytes':
      return bytes(response, second)
    case 'drip':
      return drip(response, url)
    case 'cookies':
      return cookies(request, response, url, second, third)
    case 'html':
      return send(response, 200, '<!doctype html><html><body><h1>A page</h1><p>Some text to look at.</p></body></html>\n', HTML)
    case 'json':
      return json(response, 200, { slideshow: { title: 'Sample slide show', slides: [{ title: 'First', type: 'all' }] } })
    case 'xml':
      return send(response, 200, '<?xml version="1.0"?><slideshow title="Sample slide show"/>\n', { 'content-type': 'application/xml' })
    case 'robots.txt':
      return send(response, 200, 'User-agent: *\nDisallow: /deny\n', TEXT)
    case 'uuid':
      return json(response, 200, { uuid: crypto.randomUUID() })
    case 'base64':
      return send(response, 200, Buffer.from(decodeURIComponent(second), 'base64').toString(), TEXT)
    case 'basic-auth':
    case 'hidden-basic-auth':
      return basicAuth(request, response, second, third, first === 'hidden-basic-auth')
    case 'bearer':
      return bearer(request, response)
    case 'gzip':
    case 'deflate':
    case 'brotli':
      return compressed(request, response, first)
    case 'cache':
      return request.headers['if-none-match'] || request.headers['if-modified-since'] ? end(response, 304) : echo(request, response, url, { etag: `"${createHash('sha256').update(pathname).digest('hex').slice(0, 16)}"` })
    case 'health':
      return send(response, 200, 'OK\n', TEXT)
    default:
      return json(response, 404, { error: 'not found' })
  }
})

const HTML = { 'content-type': 'text/html; charset=utf-8' }
const TEXT = { 'content-type': 'text/plain; charset=utf-8' }

/** Header names as `X-Request-Id`, several values joined. */
function headersOf(request) {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase()), Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  )
}

function originOf(request) {
  return request.headers['x-forwarded-for'] ?? request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? ''
}

function queryOf(url) {
  const result = {}
  for (const name of new Set(url.searchParams.keys())) {
    const values = url.searchParams.getAll(name)
    result[name] = values.length > 1 ? values : values[0]
  }
  return result
}

async function echo(request, response, url, headers = {}) {
  const scheme = request.headers['x-forwarded-proto'] ?? 'http'
  const common = { args: queryOf(url), headers: headersOf(request), origin: originOf(request), url: `${scheme}://${request.headers.host ?? 'localhost'}${request.url}` }
  if (request.method === 'GET' || request.method === 'HEAD') return json(response, 200, url.pathname.startsWith('/anything') ? { method: request.method, ...common } : common, headers)
  const data = await readBody(request)
  const isForm = (request.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded')
  const form = isForm ? Object.fromEntries(new URLSearchParams(data)) : {}
  json(response, 200, { method: request.method, ...common, data: isForm ? '' : data, form, files: {}, json: parseJson(data) }, headers)
}

/** `/status/200,503` or with weights `/status/200:9,503:1`. */
function status(response, text) {
  const choices = decodeURIComponent(text).split(',').map((item) => {
    const [code, weight = '1'] = item.split(':')
    return { code: Number(code), weight: Number(weight) }
  })
  if (choices.some(({ code, weight }) => !Number.isInteger(code) || code < 200 || code > 599 || !(weight >= 0))) return send(response, 400, 'Invalid status code\n', TEXT)
  let left = Math.random() * choices.reduce((sum, { weight }) => sum + weight, 0)
  const { code } = choices.find(({ weight }) => (left -= weight) < 0) ?? choices[0]
  if (code === 418) return send(response, 418, "I'm a teapot\n", TEXT)
  if (code >= 300 && code < 400 && code !== 304) return redirect(response, '/redirect/1', code)
  if (code === 401) return end(response, 401, { 'www-authenticate': 'Basic realm="Fake Realm"' })
  end(response, code)
}

function end(response, code, headers = {}) {
  response.writeHead(code, code === 204 || code === 304 ? headers : { 'content-length': 0, ...headers })
  response.end()
}

function redirect(response, location, code) {
  end(response, code >= 300 && code < 400 ? code : 302, { location: location.replace(/[\r\n]/g, '') })
}

function responseHeaders(response, url) {
  const values = queryOf(url)
  json(response, 200, values, Object.fromEntries(Object.entries(values).filter(([name]) => /^[\w-]+$/.test(name)).map(([name, value]) => [name, Array.isArray(value) ? value : String(value).replace(/[\r\n]/g, '')])))
}

function stream(request, response, url, count) {
  response.writeHead(200, { 'content-type': 'application/json' })
  for (let id = 0; id < Math.min(Number(count) || 1, 100); id++) response.write(`${JSON.stringify({ id, args: queryOf(url), headers: headersOf(request), origin: originOf(request) })}\n`)
  response.end()
}

function bytes(response, count) {
  const body = randomBytes(Math.min(Math.max(Number(count) || 0, 0), MAX_BYTES))
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': body.length })
  response.end(body)
}

async function drip(response, url) {
  const count = Math.min(Number(url.searchParams.get('numbytes')) || 10, 10_000)
  const seconds = Math.min(Number(url.searchParams.get('duration')) || 2, MAX_DELAY_S)
  response.writeHead(Number(url.searchParams.get('code')) || 200, { 'content-type': 'application/octet-stream', 'content-length': count })
  for (let sent = 0; sent < count && !response.destroyed; sent++) {
    response.write('*')
    await delay((seconds * 1000) / count)
  }
  response.end()
}

function cookies(request, response, url, action, name) {
  if (action === 'set') {
    const pairs = name ? [[name, url.pathname.split('/')[4] ?? '']] : [...url.searchParams]
    return end(response, 302, { location: '/cookies', 'set-cookie': pairs.map(([key, value]) => `${key}=${encodeURIComponent(value)}; Path=/`) })
  }
  if (action === 'delete') return end(response, 302, { location: '/cookies', 'set-cookie': [...url.searchParams.keys()].map((key) => `${key}=; Max-Age=0; Path=/`) })
  const pairs = (request.headers.cookie ?? '').split(/;\s*/).filter(Boolean).map((pair) => [pair.split('=')[0], pair.slice(pair.indexOf('=') + 1)])
  json(response, 200, { cookies: Object.fromEntries(pairs) })
}

function basicAuth(request, response, user, password, hidden) {
  const wanted = `Basic ${Buffer.from(`${decodeURIComponent(user)}:${decodeURIComponent(password)}`).toString('base64')}`
  if (request.headers.authorization === wanted) return json(response, 200, { authenticated: true, authorized: true, user })
  if (hidden) return json(response, 404, { error: 'not found' })
  end(response, 401, { 'www-authenticate': 'Basic realm="Fake Realm"' })
}

function bearer(request, response) {
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
  if (token) return json(response, 200, { authenticated: true, token })
  end(response, 401, { 'www-authenticate': 'Bearer' })
}

function compressed(request, response, how) {
  const [encode, name] = { gzip: [gzipSync, 'gzip'], deflate: [deflateSync, 'deflate'], brotli: [brotliCompressSync, 'br'] }[how]
  const body = encode(JSON.stringify({ [how === 'gzip' ? 'gzipped' : how]: true, headers: headersOf(request), origin: originOf(request) }))
  response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': name, 'content-length': body.length })
  response.end(body)
}
