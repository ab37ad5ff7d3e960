/** What a proxy was sent against what it holds, as istioctl tells it: that they match, or `diff -u` of the two. */
import type { ConfigDump } from '../../config-dump/dump.ts'
import { at, list, text } from '../../config-dump/fields.ts'
import { unifiedDiff } from '../../render/unified-diff.ts'
import { type Compared, comparable } from './difference.ts'

/** By kind; a line for what matches, several for what does not. */
export async function comparison(sent: ConfigDump, held: ConfigDump): Promise<string[]> {
  const [left, right] = [await comparable(sent), await comparable(held)]
  return left.map((one, index) => {
    const diff = unifiedDiff(linesOf(one), linesOf(right[index] ?? { ...one, resources: new Map() }), {
      before: `Istiod ${one.kind}`,
      after: `Envoy ${one.kind}`,
    })
    const isRoutes = one.kind === 'Routes'
    const loaded = isRoutes ? loadedText(held) : ''
    if (diff === '') return `${one.kind} Match${loaded}`
    return isRoutes ? `Routes Don't Match${loaded}\n${diff}` : diff
  })
}

const INDENT = 3

/** As Envoy's dump has them, without versions and times. */
function linesOf({ kind, resources }: Compared): string[] {
  const entries = [...resources].sort(([a], [b]) => (a < b ? -1 : 1))
  const document = {
    Clusters: () => ({ dynamicActiveClusters: entries.map(([, cluster]) => ({ cluster })) }),
    Listeners: () => ({ dynamicListeners: entries.map(([name, listener]) => ({ name, activeState: { listener } })) }),
    Routes: () => ({ dynamicRouteConfigs: entries.map(([, routeConfig]) => ({ routeConfig })) }),
  }[kind]()
  return JSON.stringify(document, null, INDENT).split('\n')
}

/** When the proxy was last sent routes. */
function loadedText(held: ConfigDump): string {
  if (!held.has('RoutesConfigDump')) return ''
  const times = list(at(held.section('RoutesConfigDump'), 'dynamic_route_configs')).map((entry) =>
    Date.parse(text(at(entry, 'last_updated'))),
  )
  const last = times.filter((time) => !Number.isNaN(time)).reduce((latest, time) => Math.max(latest, time), Number.NEGATIVE_INFINITY)
  return Number.isFinite(last) ? ` (RDS last loaded at ${rfc1123(new Date(last))})` : ''
}

const FORMAT = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: '2-digit',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  timeZoneName: 'short',
})

/** `Tue, 04 Aug 2026 11:52:54 CEST`, in the time zone of this machine. */
function rfc1123(time: Date): string {
  const parts = new Map(FORMAT.formatToParts(time).map(({ type, value }) => [type, value]))
  const [weekday, day, month, year, hour, minute, second, zone] = (
    ['weekday', 'day', 'month', 'year', 'hour', 'minute', 'second', 'timeZoneName'] as const
  ).map((name) => parts.get(name) ?? '')
  return `${weekday}, ${day} ${month} ${year} ${hour}:${minute}:${second} ${zone}`
}
