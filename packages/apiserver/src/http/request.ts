/** A request as the API sees it, whichever way it came, and what is answered. */
import type { User } from '../auth/user.ts'
import type { Obj } from '../values.ts'

export interface ApiRequest {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly header: (name: string) => string | undefined
  /** The body's bytes, or the value itself for a call from inside the process. */
  readonly body: Uint8Array | { readonly value: unknown } | undefined
  readonly user: User
  /** Who acts as `user`; absent where nobody does. */
  readonly impersonator?: User
  readonly signal: AbortSignal
}

/** Where a streamed answer goes. */
export interface StreamSink {
  /** Whether the reader keeps up; `false` asks to slow down or to give up. */
  write(data: string | Uint8Array): boolean
  end(): void
}

export type ApiAnswer =
  | { readonly status: number; readonly object: Obj; readonly warnings?: readonly string[]; readonly contentType?: string }
  | {
      readonly status: number
      readonly text: string
      readonly contentType: string
      readonly headers?: Readonly<Record<string, string>>
      readonly warnings?: readonly string[]
    }
  | {
      readonly status: number
      readonly data: Uint8Array
      readonly contentType: string
      readonly headers?: Readonly<Record<string, string>>
      readonly warnings?: readonly string[]
    }
  | {
      readonly status: number
      readonly contentType: string
      readonly start: (sink: StreamSink, signal: AbortSignal) => void | Promise<void>
      readonly warnings?: readonly string[]
    }

/** The parts of a resource path. */
export interface ResourcePath {
  readonly group: string
  readonly version: string
  readonly namespace: string | undefined
  readonly resource: string
  readonly name: string
  readonly subresource: string
  /** What follows the subresource (`proxy/...`). */
  readonly rest: string
}

/** `/apis/apps/v1/namespaces/x/deployments/y/status`; `undefined` for a path that names no resource. */
export function parseResourcePath(path: string): ResourcePath | undefined {
  let parts: string[]
  try {
    parts = path.split('/').slice(1).map(decodeURIComponent)
  } catch {
    return undefined
  }
  while (parts.at(-1) === '') parts.pop()
  let group = ''
  let version: string | undefined
  if (parts[0] === 'api') {
    version = parts[1]
    parts = parts.slice(2)
  } else if (parts[0] === 'apis') {
    group = parts[1] ?? ''
    version = parts[2]
    parts = parts.slice(3)
    if (group === '') return undefined
  } else return undefined
  if (version === undefined || parts.length === 0) return undefined
  let namespace: string | undefined
  if (
    parts[0] === 'namespaces' &&
    parts.length > 2 &&
    !(parts.length === 3 && (parts[2] === 'status' || parts[2] === 'finalize') && group === '')
  ) {
    namespace = parts[1]
    parts = parts.slice(2)
  }
  const [resource = '', name = '', subresource = '', ...rest] = parts
  return { group, version, namespace, resource, name, subresource, rest: rest.join('/') }
}
