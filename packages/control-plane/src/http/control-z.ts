/**
 * ControlZ: the log levels of this process, read and set while it runs, as `istioctl admin log` and `istioctl dashboard controlz` ask
 * for them. It listens on loopback alone; whoever may forward ports to the pod may use it, and a web page may not.
 */
import { isLogLevel, LEVELS, logger, logLevel, logScopes, setLogLevels, setStackTraceLevel, stackTraceLevel } from '@lateen/base'
import type { Address } from '../options/discovery-options.ts'
import { type HttpReply, type HttpRequest, jsonReply, ListenError, type RunningHttpServer, startHttpServer } from './http-server.ts'

interface Scope {
  readonly name: string
  readonly description: string
  readonly output_level: string
  readonly stack_trace_level: string
  readonly log_callers: boolean
}

const log = logger('ctrlz')
const MAX_BODY = 1 << 14

/** Without the port, everything else works: one that is in use is a warning. */
export async function startControlZ(address: Address): Promise<RunningHttpServer | undefined> {
  try {
    return await startHttpServer({ name: 'log levels', flag: 'ctrlz_port', address, handler: answer, maxBodyBytes: MAX_BODY })
  } catch (error) {
    if (!(error instanceof ListenError)) throw error
    log.warn(`${error.message}. Until then log levels are set at the start alone`)
    return undefined
  }
}

/** Exported for tests. */
export async function answer(request: HttpRequest): Promise<HttpReply> {
  const { url, method, headers } = request
  // A name that leads here through somebody's DNS, or a page of another site, is not the user.
  if (headers.origin !== undefined && headers.origin !== `http://${headers.host}`)
    return { status: 403, body: 'pages of other sites are not answered\n' }
  if (!/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(headers.host ?? ''))
    return { status: 403, body: 'use the address localhost\n' }
  const [, kind, name, ...rest] = url.pathname.split('/').map(decodeURIComponent)
  if ((kind === '' || kind === 'scopez') && name === undefined)
    return { status: 200, body: page(), contentType: 'text/html; charset=utf-8' }
  if (kind !== 'scopej' || rest.length > 0) return { status: 404, body: 'there is /scopej, and /scopej/SCOPE\n' }
  if (name === undefined || name === '')
    return method === 'GET' ? jsonReply(logScopes().map(scopeOf)) : { status: 405, body: 'only GET is answered here\n' }
  if (!logScopes().includes(name)) return { status: 404, body: `there is no scope "${name}"; there are: ${logScopes().join(', ')}\n` }
  if (method === 'GET') return jsonReply(scopeOf(name))
  return method === 'PUT' ? change(name, await request.body()) : { status: 405, body: 'only GET and PUT are answered here\n' }
}

const scopeOf = (name: string): Scope => ({
  name,
  description: '',
  output_level: logLevel(name),
  stack_trace_level: stackTraceLevel(name),
  log_callers: false,
})

function change(name: string, body: string): HttpReply {
  let wanted: unknown
  try {
    wanted = JSON.parse(body)
  } catch {
    return { status: 400, body: 'the body is no JSON\n' }
  }
  const level = textIn(wanted, 'output_level')
  const stack = textIn(wanted, 'stack_trace_level')
  const unknown = [level, stack].find((word) => word !== undefined && word !== '' && !isLogLevel(word))
  if (unknown !== undefined) return { status: 400, body: `"${unknown}" is no level; levels are ${LEVELS.join(', ')}\n` }
  if (level) setLogLevels(`${name}:${level}`)
  if (stack && isLogLevel(stack)) setStackTraceLevel(name, stack)
  log.info('log levels were changed', { changed: name, output: logLevel(name), stackTrace: stackTraceLevel(name) })
  return { status: 202, body: '' }
}

function textIn(value: unknown, field: 'output_level' | 'stack_trace_level'): string | undefined {
  const found = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[field] : undefined
  return typeof found === 'string' ? found : undefined
}

/** Scope names are the program's own words: nothing in the page comes from outside. */
function page(): string {
  const select = (scope: string, field: string, now: string) =>
    `<select data-scope="${scope}" data-field="${field}">${LEVELS.map((level) => `<option${level === now ? ' selected' : ''}>${level}</option>`).join('')}</select>`
  const rows = logScopes().map(
    (name) =>
      `<tr><td>${name}</td><td>${select(name, 'output_level', logLevel(name))}</td><td>${select(name, 'stack_trace_level', stackTraceLevel(name))}</td></tr>`,
  )
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Log levels</title>
<style>body{font:15px system-ui;margin:2em}td,th{padding:.2em 1em .2em 0;text-align:left}</style>
<h1>Log levels of this control plane</h1>
<table><thead><tr><th>Scope<th>Level<th>Stack traces from</tr></thead><tbody>${rows.join('')}</tbody></table>
<script>document.addEventListener('change',async({target})=>{const{scope,field}=target.dataset
await fetch('/scopej/'+encodeURIComponent(scope),{method:'PUT',body:JSON.stringify({name:scope,[field]:target.value})})})</script></html>
`
}
