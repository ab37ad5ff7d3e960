/** Checks of header names and values, as Envoy takes them. */
import type { At } from '../diagnostics/at.ts'
import type { Headers } from '../kinds/virtual-service/virtual-service.ts'

/** A header's name as HTTP has it. */
const TOKEN = /^[-!#$%&'*+.^_`|~A-Za-z0-9]+$/
const PLAIN = /^[-A-Za-z0-9]+$/

/** Any name that HTTP allows. */
export function checkHttpHeaderName(name: string, at: At): void {
  if (name === '') at.say('EmptyHeaderName')
  else if (!TOKEN.test(name)) at.say('BadHeaderName', { name, allowed: "letters, digits and !#$%&'*+-.^_`|~" })
}

/** A name of letters, digits and dashes: headers that are made here, and those of probes, as Kubernetes has them. */
export function checkPlainHeaderName(name: string, at: At): void {
  if (name === '') at.say('EmptyHeaderName')
  else if (!PLAIN.test(name)) at.say('BadHeaderName', { name, allowed: 'letters, digits and dashes' })
}

/** Names under which HTTP/2 carries the parts of a request line and of a status line. */
const PSEUDO_HEADERS = [':method', ':scheme', ':authority', ':path', ':status']

/** A header of a route match; also `:authority` and the like, and `@request.auth.claims.…`, which stands for a claim of the token. */
export function checkMatchHeaderName(name: string, at: At): void {
  if (!isClaimHeader(name) && !PSEUDO_HEADERS.includes(name)) checkHttpHeaderName(name, at)
}

/** Whether a match key stands for a claim of the token: `@request.auth.claims.group` or `@request.auth.claims[group][sub]`. */
export function isClaimHeader(name: string): boolean {
  return /^@request\.auth\.claims(\..+|\[.+\])$/is.test(name)
}

export const isAuthority = (name: string) => /^(:authority|host)$/i.test(name)

/** The changes to requests and responses of one route or destination. */
export function checkHeaders(headers: Headers | undefined, at: At): void {
  for (const action of ['add', 'set'] as const) {
    at.in('request', action).entries(headers?.request?.[action], (value, place, name) => {
      if (name === '') place.say('EmptyHeaderName')
      else if (name.startsWith(':') && !isAuthority(name)) place.say('PseudoHeader', { name })
      checkHeaderValue(value, place)
    })
    at.in('response', action).entries(headers?.response?.[action], (value, place, name) => {
      checkChangeableName(name, place)
      checkHeaderValue(value, place)
    })
  }
  at.in('request', 'remove').each(headers?.request?.remove, checkChangeableName)
  at.in('response', 'remove').each(headers?.response?.remove, checkChangeableName)
}

function checkChangeableName(name: string, at: At): void {
  if (name === '') at.say('EmptyHeaderName')
  else if (/^host$/i.test(name)) at.say('HostHeader')
  else if (name.startsWith(':')) at.say('PseudoHeader', { name })
}

/** A header value: text with `%COMMAND%`s of Envoy, where `%%` stands for a percent sign. */
export function checkHeaderValue(value: string, at: At): void {
  const problem = /[\u0000-\u0008\u000a-\u001f\u007f]/.test(value) ? 'it holds control characters' : commandProblem(value)
  if (problem !== undefined) at.say('BadHeaderValue', { value, problem })
}

/**
 * What Envoy's header formatter would stumble over; a small automaton, as `%A(["x", "y"])%` nests.
 */
function commandProblem(value: string): string | undefined {
  let state: 'text' | 'name' | 'arguments' | 'string' | 'element' | 'after element' | 'close' | 'end' = 'text'
  for (let i = 0; i < value.length; i++) {
    const c = value[i]
    switch (state) {
      case 'text':
        if (c !== '%') break
        if (i + 1 === value.length) return 'a percent sign alone at the end; write %%'
        if (value[i + 1] === '%') i++
        else state = 'name'
        break
      case 'name':
        if (c === '%') state = 'text'
        else if (c === '(') state = 'arguments'
        break
      case 'arguments':
        if (c === '[') state = 'element'
        else if (c !== ' ') state = 'string'
        break
      case 'element':
        if (c === '"') state = 'string'
        else if (c !== ' ') return 'a quotation mark is needed after "["'
        break
      case 'string':
        if (c === '\\') {
          if (i + 1 === value.length) return 'a backslash alone at the end'
          i++
        } else if (c === ')') state = 'end'
        else if (c === '"') state = 'after element'
        break
      case 'after element':
        if (c === ',') state = 'element'
        else if (c === ']') state = 'close'
        else if (c !== ' ') return 'a comma or "]" is needed after a quoted text'
        break
      case 'close':
        if (c === ')') state = 'end'
        else if (c !== ' ') return '")" is needed after "]"'
        break
      case 'end':
        if (c === '%') state = 'text'
        else if (c !== ' ') return 'a percent sign is needed after ")"'
        break
    }
  }
  return state === 'text' ? undefined : 'a command that begins with % is not ended; write %% for a percent sign'
}
