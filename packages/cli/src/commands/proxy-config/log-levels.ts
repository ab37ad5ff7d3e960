/** What `proxy-config log --level` says → what Envoy is asked for. */
import { CommandError, EXIT } from '../../shell/exit-codes.ts'

export const LEVELS = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off']

/** For all loggers. */
const EVERY = 'level'

/**
 * Queries of Envoy's `/logging`, those for all loggers first; a level without a logger makes what stands before it void.
 *
 * @param levels such as `debug`, `http:debug`, `envoy::rbac=trace`
 * @param loggers the names of the loggers that there are
 * @throws CommandError for a level or a logger that there is not
 */
export function levelQueries(levels: readonly string[], loggers: readonly string[]): string[] {
  let wanted = new Map<string, string>()
  for (const text of levels) {
    const [, logger, level] = /^(?:.*::)?([^:=]+)[:=](.*)$/.exec(text) ?? []
    if (logger === undefined) wanted = new Map([[EVERY, levelNamed(text)]])
    else if (logger !== EVERY && !loggers.includes(logger)) throw unknownLogger(logger, loggers)
    else wanted.set(logger, levelNamed(level ?? ''))
  }
  const queries = [...wanted].map(([logger, level]) => `${logger}=${level}`)
  return queries.sort((a, b) => Number(b.startsWith(`${EVERY}=`)) - Number(a.startsWith(`${EVERY}=`)))
}

function levelNamed(text: string): string {
  const level = text === 'warn' ? 'warning' : text
  if (LEVELS.includes(level)) return level
  throw new CommandError(
    `unrecognized logging level: ${text}; levels are ${LEVELS.join(', ')}, as in --level debug or --level http:debug`,
    {
      exitCode: EXIT.usage,
    },
  )
}

function unknownLogger(logger: string, loggers: readonly string[]): CommandError {
  const near = loggers.filter((each) => each.includes(logger) || logger.includes(each))
  const hint = near.length > 0 ? `; did you mean ${near.join(', ')}?` : '; without --level the loggers are listed'
  return new CommandError(`unrecognized logger name: ${logger}${hint}`, { exitCode: EXIT.usage })
}
