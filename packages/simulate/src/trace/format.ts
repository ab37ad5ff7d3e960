/** Envoy's format commands in header values and bodies, as far as a request alone says what they stand for. */
import { type HttpRequest, headerOf } from '../matching/request.ts'

export interface FormatContext {
  readonly request: HttpRequest
  readonly routeName: string
  readonly cluster: string
  readonly sourceAddress: string | undefined
}

/** Replaces `%REQ(NAME?OTHER):N%` and a few more; commands that only a running proxy can answer are left as they are written. */
export function formatText(text: string, at: FormatContext): string {
  return text.replace(/%([A-Z_]*)(?:\(([^()%]*)\))?(?::(\d{1,6}))?%/g, (whole, command: string, argument = '', length = '') => {
    const value = valueOfCommand(command, argument, at)
    if (value === undefined) return whole
    return length === '' ? value : value.slice(0, Number(length))
  })
}

function valueOfCommand(command: string, argument: string, at: FormatContext): string | undefined {
  switch (command) {
    case '':
      return argument === '' ? '%' : undefined
    case 'REQ':
      return argument.split('?').reduce<string | undefined>((found, name) => found ?? firstOf(at.request, name), undefined) ?? ''
    case 'ROUTE_NAME':
      return at.routeName
    case 'UPSTREAM_CLUSTER':
    case 'UPSTREAM_CLUSTER_RAW':
      return at.cluster
    case 'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT':
    case 'DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT':
      return at.sourceAddress
    default:
      return undefined
  }
}

/** Of several values the first counts. */
const firstOf = (request: HttpRequest, name: string): string | undefined =>
  request.headers.get(name.toLowerCase())?.[0] ?? headerOf(request, name)
