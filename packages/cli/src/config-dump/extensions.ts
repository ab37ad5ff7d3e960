/** The filters that came by ECDS. */
import { compareText } from '@lateen/base'
import type { ConfigDump } from './dump.ts'
import { at, type Fields, fields, list, text } from './fields.ts'

export const EXTENSION_HEADINGS = ['ECDS NAME', 'TYPE']

/** By type, then name. */
export function extensionsOf(dump: ConfigDump): Fields[] {
  return list(at(dump.section('EcdsConfigDump'), 'ecds_filters'))
    .map((entry) => fields(at(entry, 'ecds_filter')))
    .sort((a, b) => compareText(typeOf(a), typeOf(b)) || compareText(text(a['name']), text(b['name'])))
}

export function extensionRow(extension: Fields): string[] {
  return [text(extension['name']), typeOf(extension)]
}

const typeOf = (extension: Fields): string => text(at(extension, 'typed_config', '@type')).replace(/^type\.googleapis\.com\//, '')
