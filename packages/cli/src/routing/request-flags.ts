/** The request that a question is about, and who asks. */
import type { Context, Flag } from '../shell/command.ts'
import { CommandError, EXIT } from '../shell/exit-codes.ts'
import { parseTarget, type Target } from './target.ts'

export const REQUEST_FLAGS: readonly Flag[] = [
  {
    name: 'from',
    value: 'POD',
    help: 'who asks: [<type>/]<name>[.<namespace>], such as deployment/productpage-v1; a gateway for requests from outside',
  },
  { name: 'header', short: 'H', value: 'HEADER', type: 'list', help: 'header of the request, as "name: value"; may be repeated' },
  { name: 'request', short: 'X', value: 'METHOD', help: 'method (default: GET)' },
]

/** @throws CommandError naming what is missing */
export function targetOf({ args, flags }: Pick<Context, 'args' | 'flags'>): { readonly target: Target; readonly from: string } {
  const [first, second, ...more] = args
  const [method, url] = second === undefined ? [flags.text('request'), first] : [first, second]
  if (url === undefined || more.length > 0)
    throw new CommandError('a request is missing: [METHOD] URL, such as GET http://reviews:9080/reviews/0', { exitCode: EXIT.usage })
  const target = parseTarget(url, { method, headers: flags.list('header') })
  const from = flags.text('from')
  if (from === undefined)
    throw new CommandError('--from is missing: who asks? A pod or workload, such as deployment/productpage-v1, or a gateway', {
      exitCode: EXIT.usage,
    })
  return { target, from }
}
