/** What the downward API mounts in /etc/istio/pod: labels and annotations, one `key="value"` a line. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface PodInfo {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** Reads both files; a missing file is no labels. */
export async function readPodInfo(folder: string): Promise<PodInfo> {
  const read = async (name: string) => parsePairs(await readFile(join(folder, name), 'utf8').catch(() => ''))
  const [labels, annotations] = await Promise.all([read('labels'), read('annotations')])
  return { labels, annotations }
}

/** Parses lines of `key="value"`, the value quoted as Go quotes text; other lines are passed over. */
export function parsePairs(text: string): Record<string, string> {
  const pairs: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=')
    const value = equals > 0 ? unquote(line.slice(equals + 1).trim()) : undefined
    if (value !== undefined) pairs[line.slice(0, equals)] = value
  }
  return pairs
}

/** Go's %q differs from JSON in a few escapes. */
function unquote(quoted: string): string | undefined {
  if (quoted.length < 2 || !quoted.startsWith('"') || !quoted.endsWith('"')) return undefined
  const simple: Record<string, string> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' }
  return quoted
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))/gi, (_, x?: string, u?: string, long?: string, other: string = '') => {
      const hex = x ?? u ?? long
      if (hex === undefined) return simple[other] ?? other
      const point = Number.parseInt(hex, 16)
      return point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd'
    })
}
