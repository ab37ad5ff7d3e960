/** Reading request bodies: JSON or YAML, bounded in size and depth. */
import { parseYaml } from '@lateen/api'
import { badRequest, unsupportedMediaType } from '../errors.ts'
import type { ApiRequest } from './request.ts'

export const MAX_BODY = 3 * 1024 * 1024
const MAX_DEPTH = 200

/** Without its parameters, in lower case. */
export const mediaType = (header: string | undefined) => (header ?? '').split(';')[0]?.trim().toLowerCase() ?? ''

/**
 * The parsed body; `undefined` when there is none.
 *
 * @throws StatusError 400 for text that cannot be parsed, 415 for a media type that is not JSON or YAML
 */
export async function parseBody(request: ApiRequest): Promise<unknown> {
  const { body } = request
  if (body === undefined) return undefined
  if (!(body instanceof Uint8Array)) return body.value
  if (body.length === 0) return undefined
  const type = mediaType(request.header('content-type'))
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8')
  if (type === '' || type === 'application/json' || /^application\/[\w.+-]*\+json$/.test(type)) return parseJson(text)
  if (type === 'application/yaml' || type === 'application/apply-patch+yaml') {
    const start = text.trimStart()
    // YAML bodies are nearly always JSON in fact, which parses far faster.
    if (start.startsWith('{')) {
      try {
        return parseJson(text)
      } catch {
        // It may still be YAML's flow style.
      }
    }
    const value = parseYamlBody(text)
    checkDepth(value)
    return value
  }
  if (type === 'application/vnd.kubernetes.protobuf') return (await import('../protobuf/decode.ts')).decodeProtobuf(body)
  throw unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf`,
  )
}

/** @throws StatusError 400 */
function parseYamlBody(text: string): unknown {
  try {
    return parseYaml(text, { maxAliasCount: 100 })
  } catch (error) {
    throw badRequest(`error decoding YAML: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** @throws StatusError 400 */
export function parseJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw badRequest(`the body is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  checkDepth(value)
  return value
}

function checkDepth(root: unknown): void {
  let level: unknown[] = [root]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw badRequest(`the body is nested more than ${MAX_DEPTH} levels deep`)
    const next: unknown[] = []
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue
      for (const child of Array.isArray(value) ? value : Object.values(value))
        if (typeof child === 'object' && child !== null) next.push(child)
    }
    level = next
  }
}
