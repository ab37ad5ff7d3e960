/** The checks of redirects, direct responses and rewrites. */
import type { At } from '../../diagnostics/at.ts'
import { checkPort } from '../../validation/addresses.ts'
import { checkRegex } from '../../validation/values.ts'
import { checkHttpStatus } from './check-fault.ts'
import type { HTTPDirectResponse, HTTPRedirect, HTTPRewrite } from './virtual-service.ts'

export function checkRedirect(redirect: HTTPRedirect | undefined, at: At): void {
  if (!redirect) return
  const { uri, authority, port, derivePort, scheme, redirectCode } = redirect
  if (!uri && !authority && port === undefined && derivePort === undefined && !scheme) return at.say('RedirectEmpty')
  if (redirectCode && (redirectCode < 300 || redirectCode > 399)) at.in('redirectCode').say('RedirectCode', { code: redirectCode })
  if (scheme && scheme !== 'http' && scheme !== 'https') at.in('scheme').say('RedirectScheme', { scheme })
  if (port) checkPort(port, at.in('port'))
}

const KIB = 1024
const MIB = 1024 * KIB

export function checkDirectResponse(response: HTTPDirectResponse | undefined, at: At): void {
  if (!response) return
  const { body, status } = response
  const size = body?.string !== undefined ? new TextEncoder().encode(body.string).length : decodedLength(body?.bytes)
  if (size > MIB) at.in('body').say('BodyTooLarge', { size })
  else if (size > 100 * KIB) at.in('body').say('BodyLarge', { size })
  checkHttpStatus(status, at.in('status'))
}

function decodedLength(base64: string | undefined): number {
  return base64 === undefined ? 0 : Math.floor((base64.replace(/=+$/, '').length * 3) / 4)
}

export function checkRewrite(rewrite: HTTPRewrite | undefined, at: At): void {
  if (!rewrite) return
  const { uri, uriRegexRewrite, authority } = rewrite
  if (uri && uriRegexRewrite) at.say('RewriteTwice')
  else if (!uri && !uriRegexRewrite && !authority) at.say('RewriteEmpty')
  else if (uriRegexRewrite && (!uriRegexRewrite.match || !uriRegexRewrite.rewrite)) at.in('uriRegexRewrite').say('RegexRewriteIncomplete')
  else if (uriRegexRewrite?.match) checkRegex(uriRegexRewrite.match, at.in('uriRegexRewrite', 'match'))
}
