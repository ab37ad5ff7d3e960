/** Steps of a long command, told on standard error: a spinner on a terminal, plain lines elsewhere. */
import { createSpinner } from 'nanospinner'

export interface Step {
  /** Replaces what is said about the step that is under way; not repeated where output is no terminal. */
  update(text: string): void
  done(text?: string): void
  fail(text?: string): void
}

export interface Progress {
  step(text: string): Step
  note(text: string): void
}

export interface ProgressTarget {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

/** Progress on `target`; colours and motion only on a terminal that wants them. */
export function progressOn(target: NodeJS.WriteStream | ProgressTarget, env: NodeJS.ProcessEnv): Progress {
  const lively = target.isTTY === true && env['TERM'] !== 'dumb' && !env['CI'] && 'columns' in target
  const note = (text: string) => void target.write(`${text}\n`)
  return { note, step: (text) => (lively ? spinning(text, target) : plain(text, note)) }
}

function plain(text: string, note: (text: string) => void): Step {
  const began = Date.now()
  const seconds = () => ((Date.now() - began) / 1000).toFixed(1)
  return {
    update: () => undefined,
    done: (after = text) => note(`ok    ${after} (${seconds()} s)`),
    fail: (after = text) => note(`FAIL  ${after} (${seconds()} s)`),
  }
}

function spinning(text: string, stream: NodeJS.WriteStream): Step {
  const began = Date.now()
  const spinner = createSpinner(text, { stream }).start()
  const seconds = () => ((Date.now() - began) / 1000).toFixed(1)
  return {
    update: (now) => void spinner.update({ text: `${text}: ${now}` }),
    done: (after = text) => void spinner.success({ text: `${after} (${seconds()} s)` }),
    fail: (after = text) => void spinner.error({ text: `${after} (${seconds()} s)` }),
  }
}
