/** JSON Patch (RFC 6902). */
import { badRequest, StatusError } from '../errors.ts'
import { copy, equal, isObj, own, put, str } from '../values.ts'

const MAX_OPERATIONS = 10_000

function unescapeToken(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~')
}

function parsePointer(pointer: string): string[] {
  if (pointer === '') return []
  if (!pointer.startsWith('/')) throw badRequest(`json patch: the path "${pointer}" must start with "/"`)
  return pointer.slice(1).split('/').map(unescapeToken)
}

const refused = (message: string) =>
  new StatusError(422, 'Invalid', `the server rejected our request due to an error in our request: ${message}`)

function index(token: string, length: number, adding: boolean): number {
  if (adding && token === '-') return length
  if (!/^(0|[1-9]\d*)$/.test(token)) throw refused(`json patch: "${token}" is not a list index`)
  const at = Number(token)
  if (at > (adding ? length : length - 1)) throw refused(`json patch: the list index ${at} is out of bounds`)
  return at
}

function lookup(value: unknown, token: string, pointer: string): unknown {
  if (Array.isArray(value)) return value[index(token, value.length, false)]
  const found = isObj(value) ? own(value, token) : undefined
  if (found === undefined) throw refused(`json patch: the path ${pointer} does not exist`)
  return found
}

function find(root: unknown, pointer: string): unknown {
  return parsePointer(pointer).reduce((here, token) => lookup(here, token, pointer), root)
}

interface Holder {
  value: unknown
}

function parentOf(root: Holder, tokens: readonly string[], pointer: string): unknown {
  return tokens.slice(0, -1).reduce((here, token) => lookup(here, token, pointer), root.value)
}

function add(root: Holder, pointer: string, value: unknown): void {
  const tokens = parsePointer(pointer)
  const last = tokens.at(-1)
  if (last === undefined) {
    root.value = value
    return
  }
  const parent = parentOf(root, tokens, pointer)
  if (Array.isArray(parent)) parent.splice(index(last, parent.length, true), 0, value)
  else if (isObj(parent)) put(parent, last, value)
  else throw refused(`json patch: ${pointer} is neither in an object nor in a list`)
}

function remove(root: Holder, pointer: string): void {
  const tokens = parsePointer(pointer)
  const last = tokens.at(-1)
  if (last === undefined) throw refused('json patch: the whole object cannot be removed')
  const parent = parentOf(root, tokens, pointer)
  if (Array.isArray(parent)) parent.splice(index(last, parent.length, false), 1)
  else if (isObj(parent) && Object.hasOwn(parent, last)) delete parent[last]
  else throw refused(`json patch: the path ${pointer} to remove does not exist`)
}

/**
 * A copy of `target` with the operations applied, all or none.
 *
 * @throws StatusError 422 for an operation that cannot be applied, 400 for what is not a patch
 */
export function applyJsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest('json patch: expected a list of operations')
  if (patch.length > MAX_OPERATIONS) throw badRequest(`json patch: ${patch.length} operations; at most ${MAX_OPERATIONS} are allowed`)
  const root: Holder = { value: copy(target) }
  for (const operation of patch) {
    if (!isObj(operation)) throw badRequest('json patch: an operation is not an object')
    const op = str(operation['op'])
    const path = str(operation['path'])
    if ((op === 'add' || op === 'replace' || op === 'test') && !Object.hasOwn(operation, 'value'))
      throw refused(`json patch: the ${op} of ${path} has no value`)
    switch (op) {
      case 'add':
        add(root, path, copy(operation['value']))
        break
      case 'remove':
        remove(root, path)
        break
      case 'replace': {
        if (path !== '') find(root.value, path)
        const tokens = parsePointer(path)
        const parent = tokens.length > 0 ? parentOf(root, tokens, path) : undefined
        if (Array.isArray(parent)) parent[index(tokens.at(-1) ?? '', parent.length, false)] = copy(operation['value'])
        else add(root, path, copy(operation['value']))
        break
      }
      case 'move': {
        const from = str(operation['from'])
        if (path.startsWith(`${from}/`)) throw refused(`json patch: ${from} cannot be moved into itself`)
        const value = find(root.value, from)
        remove(root, from)
        add(root, path, value)
        break
      }
      case 'copy':
        add(root, path, copy(find(root.value, str(operation['from']))))
        break
      case 'test':
        if (!equal(find(root.value, path), operation['value'])) throw refused(`json patch: testing path ${path} failed`)
        break
      default:
        throw badRequest(`json patch: unknown operation "${op}"`)
    }
  }
  return root.value
}
