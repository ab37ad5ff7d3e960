/** Pieces that columns are made of. */
import type { Column } from '../registry/kind.ts'
import { at, isObj, list, type Obj, objs, str, strings } from '../values.ts'

export function column(title: string, cell: (object: Obj) => unknown, type: Column['type'] = 'string'): Column {
  return { name: title, type, priority: 0, cell }
}

/** A column of `-o wide`. */
export function wide(title: string, cell: (object: Obj) => unknown, type: Column['type'] = 'string'): Column {
  return { name: title, type, priority: 1, cell }
}

export const name: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  priority: 0,
  description: 'Name of the object, unique in its namespace.',
  cell: (o) => at(o, 'metadata', 'name'),
}

export const age: Column = {
  name: 'Age',
  type: 'string',
  priority: 0,
  description: 'How long ago the object was created.',
  cell: (o) => {
    const time = Date.parse(str(at(o, 'metadata', 'creationTimestamp')))
    return Number.isNaN(time) ? '<unknown>' : timeSince(Date.now() - time)
  },
}

/** `45s`, `3m5s`, `12m`, `5h7m`, `2d3h`, `40d`, `3y`: two units while the first is small. */
export function timeSince(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  const two = (big: number, bigUnit: string, small: number, smallUnit: string) =>
    small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit}${small}${smallUnit}`
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (hours < 192) return two(days, 'd', hours % 24, 'h')
  if (days < 730) return `${days}d`
  const years = Math.floor(days / 365)
  return days < 365 * 8 ? two(years, 'y', days % 365, 'd') : `${years}y`
}

export function labelText(labels: unknown): string {
  const texts = Object.entries(strings(labels)).map(([key, value]) => `${key}=${value}`)
  return texts.sort().join(',') || '<none>'
}

/** A LabelSelector object as text. */
export function selectorText(selector: unknown): string {
  if (!isObj(selector)) return '<none>'
  const parts = Object.entries(strings(selector['matchLabels']))
    .map(([key, value]) => `${key}=${value}`)
    .sort()
  for (const e of objs(selector['matchExpressions'])) {
    const values = list(e['values']).map(str).sort().join(',')
    const key = str(e['key'])
    switch (e['operator']) {
      case 'In':
        parts.push(`${key} in (${values})`)
        break
      case 'NotIn':
        parts.push(`${key} notin (${values})`)
        break
      case 'Exists':
        parts.push(key)
        break
      default:
        parts.push(`!${key}`)
    }
  }
  return parts.join(',') || '<none>'
}
