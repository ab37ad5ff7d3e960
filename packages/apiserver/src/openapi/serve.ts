/** Answers below `/openapi`; the documents are made when asked for and kept until the kinds change. */
import { createHash } from 'node:crypto'
import { notAcceptable } from '../errors.ts'
import type { ApiAnswer } from '../http/request.ts'
import type { Registry } from '../registry/registry.ts'

const PROTO_V2 = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
// "@" may be asked for, but is no legal character of a Content-Type: kubectl refuses an answer that has it.
const PROTO_V2_ANSWER = PROTO_V2.replace('@', '.')
const KEEP_FOR = 60_000

/** Texts are dropped after a while: they are large, and clients keep their own copies. */
class Cache {
  readonly #texts = new Map<string, Buffer>()
  #generation = -1
  #timer: NodeJS.Timeout | undefined

  get(registry: Registry, key: string, make: () => Buffer): Buffer {
    if (this.#generation !== registry.generation) this.#texts.clear()
    this.#generation = registry.generation
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#texts.clear(), KEEP_FOR)
    this.#timer.unref()
    let text = this.#texts.get(key)
    if (!text) this.#texts.set(key, (text = make()))
    return text
  }
}

const caches = new WeakMap<Registry, Cache>()

function cacheOf(registry: Registry): Cache {
  let cache = caches.get(registry)
  if (!cache) caches.set(registry, (cache = new Cache()))
  return cache
}

const hash = (text: string | Buffer) => createHash('sha256').update(text).digest('hex').slice(0, 32).toUpperCase()

/** `undefined` for a path that is not served. @throws StatusError 406 */
export async function openApiAnswer(registry: Registry, path: string, accept: string): Promise<ApiAnswer | undefined> {
  const { documentV2, documentV3, versions } = await import('./documents.ts')
  const cache = cacheOf(registry)
  if (path === '/openapi/v2') {
    const types = accept.split(',').map((t) => t.split(';')[0]?.trim() ?? '')
    const protobuf = types.some((t) => t === PROTO_V2 || t === PROTO_V2_ANSWER)
    const json = accept === '' || types.some((t) => t === 'application/json' || t === '*/*' || t === 'application/*')
    if (protobuf) {
      const { encodeOpenApiV2 } = await import('./protobuf-v2.ts')
      return bytes(
        cache.get(registry, 'v2 protobuf', () => encodeOpenApiV2(documentV2(registry))),
        PROTO_V2.replace('@', '.'),
      )
    }
    if (!json) throw notAcceptable(['application/json', PROTO_V2])
    return bytes(
      cache.get(registry, 'v2', () => Buffer.from(JSON.stringify(documentV2(registry)))),
      'application/json',
    )
  }
  if (path === '/openapi/v3') {
    const paths: { [path: string]: unknown } = {}
    for (const [key, kinds] of versions(registry)) {
      const signature = hash(JSON.stringify(kinds.map((k) => [k.kind, k.custom?.openApi ?? ''])))
      paths[key] = { serverRelativeURL: `/openapi/v3/${key}?hash=${signature}` }
    }
    return { status: 200, object: { paths } }
  }
  const key = path.slice('/openapi/v3/'.length)
  const kinds = versions(registry).get(key)
  if (!path.startsWith('/openapi/v3/') || !kinds) return undefined
  return bytes(
    cache.get(registry, key, () => Buffer.from(JSON.stringify(documentV3(kinds)))),
    'application/json',
  )
}

function bytes(data: Buffer, contentType: string): ApiAnswer {
  return { status: 200, data, contentType, headers: { etag: `"${hash(data)}"`, vary: 'Accept' } }
}
