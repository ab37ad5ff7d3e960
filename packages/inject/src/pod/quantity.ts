/** Resource quantities in the form that Kubernetes prints: `1000m` → `1`, `0.5` → `500m`, `2048Mi` → `2Gi`. */

const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E']
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const QUANTITY = /^([+-]?)([0-9]{1,18})?(?:\.([0-9]{0,18}))?([numkMGTPE]|Ki|Mi|Gi|Ti|Pi|Ei)?$/

/** The canonical form; a text that is no quantity, or one with an exponent, is returned as it is. */
export function canonicalQuantity(text: string): string {
  const match = QUANTITY.exec(text)
  if (!match || (match[2] === undefined && !match[3])) return text
  const [, sign = '', whole = '0', fraction = '', suffix = ''] = match
  const negative = sign === '-' ? -1n : 1n
  const digits = BigInt(whole + fraction)
  if (suffix.endsWith('i')) return binary(negative * digits, fraction.length, BINARY.indexOf(suffix)) ?? text
  return decimal(negative * digits, fraction.length, DECIMAL.indexOf(suffix) * 3 - 9)
}

/** `digits × 10^(exponent − decimals)`, printed with the largest suffix that leaves a whole number. */
function decimal(digits: bigint, decimals: number, exponent: number): string {
  if (digits === 0n) return '0'
  let value = digits
  let power = exponent - decimals
  while (value % 10n === 0n) {
    value /= 10n
    power++
  }
  // Finer than nano is rounded up, as Kubernetes does.
  while (power < -9) {
    value = value / 10n + (value % 10n > 0n ? 1n : 0n)
    power++
  }
  while (power > 18 || (power + 9) % 3 !== 0) {
    value *= 10n
    power--
  }
  return `${value}${DECIMAL[(power + 9) / 3] ?? ''}`
}

function binary(digits: bigint, decimals: number, step: number): string | undefined {
  const scaled = digits * 1024n ** BigInt(step)
  const scale = 10n ** BigInt(decimals)
  if (scaled % scale !== 0n) return undefined
  let value = scaled / scale
  let suffix = 0
  while (value !== 0n && value % 1024n === 0n && suffix < BINARY.length - 1) {
    value /= 1024n
    suffix++
  }
  return `${value}${BINARY[suffix] ?? ''}`
}
