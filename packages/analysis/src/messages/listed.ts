/** `[a b c]`: how messages write lists, at most twenty elements of them. */
const MOST = 20

export function listed(items: readonly (string | number)[]): string {
  const more = items.length > MOST ? ` … and ${items.length - MOST} more` : ''
  return `[${items.slice(0, MOST).join(' ')}${more}]`
}
