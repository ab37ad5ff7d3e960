/** From a command's data to text in the form that was asked for. */
import { readable } from '@lateen/base'
import { stringify } from 'yaml'
import type { Command } from './command.ts'

export function renderResult(command: Command, data: unknown, format: 'table' | 'short' | 'json' | 'yaml'): string {
  if (data === undefined) return ''
  if (format === 'json') return JSON.stringify(data, null, 2)
  if (format === 'yaml' || !command.render) return stringify(data, { aliasDuplicateObjects: false })
  return readable(command.render(data, format))
}
