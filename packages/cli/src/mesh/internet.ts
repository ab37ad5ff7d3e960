/** Whether a mesh's pods reach networks outside this machine: what the user says, else what it had before, else where it can be had. */
import { outsideProgram } from '@lateen/runtime'
import { CommandError, EXIT } from '../shell/exit-codes.ts'
import { type Home, readSettings, writeSettings } from './home.ts'

export const INTERNET = ['on', 'off'] as const
type Internet = (typeof INTERNET)[number]

const isInternet = (value: unknown): value is Internet => INTERNET.some((one) => one === value)

/** @throws CommandError for another word than {@link INTERNET}, and when the program that it needs is not installed although it is asked for */
export function chooseInternet(home: Home, given: string | undefined, env: NodeJS.ProcessEnv): Internet {
  // The environment is not checked as a flag is: a word that means nothing must not let pods out.
  if (given && !isInternet(given))
    throw new CommandError(`LATEEN_INTERNET: "${given}" is not one of ${INTERNET.join(', ')}`, { exitCode: EXIT.usage })
  const before = readSettings(home)['internet']
  const there = outsideProgram(env) !== undefined
  if (given === 'on' && !there)
    throw new CommandError('--internet on: slirp4netns is not installed, by which pods reach the outside; apt-get install slirp4netns')
  if (isInternet(given)) writeSettings(home, { internet: given })
  const wanted = isInternet(given) ? given : isInternet(before) ? before : 'on'
  return there ? wanted : 'off'
}
