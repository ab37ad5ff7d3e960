/** The flags of `analyze`, and what they mean. */
import { isMessageCode, type Suppression } from '@lateen/analysis'
import { SEVERITIES, type Severity } from '@lateen/base'
import type { Flag, Flags } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'

export const OUTPUT: Flag = {
  name: 'output',
  short: 'o',
  value: 'FORMAT',
  default: 'log',
  help: 'log, json or yaml',
  choices: ['log', 'json', 'yaml'],
}
export const MESH_CONFIG: Flag = { name: 'meshConfigFile', value: 'FILE', help: "mesh configuration to use instead of the cluster's" }
export const ALL_NAMESPACES: Flag = { name: 'all-namespaces', short: 'A', help: 'show what is found in all namespaces' }
export const COLOR: Flag = { name: 'color', help: 'colours (default: on a terminal)' }
export const SUPPRESS: Flag = {
  name: 'suppress',
  short: 'S',
  value: 'CODE=OBJECT',
  type: 'list',
  help: 'do not show a code for an object, for example "IST0103=Pod *.testing"; may be repeated',
}
export const ANALYZER: Flag = { name: 'analyzer', value: 'NAME', type: 'list', help: 'run only this analyzer; may be repeated' }

const threshold = (name: string, level: Severity, help: string): Flag => ({
  name,
  value: 'LEVEL',
  suggestions: SEVERITIES,
  default: level,
  help: `${help}: ${SEVERITIES.join(', ')}`,
})

export const FAILURE_THRESHOLD = threshold('failure-threshold', 'Error', 'lowest level that makes the exit code 79')
export const OUTPUT_THRESHOLD = threshold('output-threshold', 'Info', 'lowest level that is shown')

/** @throws CommandError when the level is none */
export function levelOf(flags: Flags, name: string): Severity {
  const text = flags.text(name) ?? ''
  const level = SEVERITIES.find((one) => one.toLowerCase() === text.toLowerCase())
  if (level === undefined) {
    throw new CommandError(`--${name} ${text}: there is no such level; allowed: ${SEVERITIES.join(', ')}`, { exitCode: EXIT.usage })
  }
  return level
}

export interface Suppressions {
  readonly suppressions: readonly Suppression[]
  /** Codes that do not exist, so that suppressing them does nothing. */
  readonly unknownCodes: readonly string[]
}

/** @throws CommandError when a value is not `CODE=OBJECT` */
export function suppressionsOf(flags: Flags): Suppressions {
  const suppressions = flags.list('suppress').map((value) => {
    const [, code, origin] = /^([^=]+)=([^=]+)$/.exec(value) ?? []
    if (code === undefined || origin === undefined) {
      const example = '--suppress "IST0103=Pod *.testing"'
      throw new CommandError(`--suppress ${value}: a code and an object are wanted, for example ${example}`, { exitCode: EXIT.usage })
    }
    return { code, origin }
  })
  return { suppressions, unknownCodes: suppressions.map(({ code }) => code).filter((code) => !isMessageCode(code)) }
}
