/** How plain words of YAML are understood: as kubectl does, which follows an older YAML than the library's default. */
import type { ScalarTag, Tags } from 'yaml'

const flag: ScalarTag = {
  identify: (value) => typeof value === 'boolean',
  default: true,
  tag: 'tag:yaml.org,2002:bool',
  test: /^(?:[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$/,
  resolve: (text) => /^(?:y|yes|on)$/i.test(text),
}

/** `defaultMode: 0644` is octal. */
const octal: ScalarTag = {
  identify: () => false,
  default: true,
  tag: 'tag:yaml.org,2002:int',
  format: 'OCT',
  test: /^[-+]?0[0-7]+$/,
  resolve: (text) => Number.parseInt(text, 8),
}

/** Options for the `yaml` library: no clock times or dates out of plain words, every key once, merge keys. */
export const YAML_OPTIONS = {
  version: '1.2',
  schema: 'core',
  merge: true,
  uniqueKeys: true,
  logLevel: 'silent',
  customTags: (tags: Tags): Tags => [flag, octal, ...tags],
} as const
