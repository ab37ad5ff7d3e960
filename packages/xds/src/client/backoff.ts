/** Waiting times between attempts: they double up to a limit, with jitter, so that many clients do not come back at the same moment. */

export interface BackoffOptions {
  /** First and longest wait, in milliseconds. */
  readonly firstMs: number
  readonly longestMs: number
  /** From 0 (inclusive) to 1 (exclusive). */
  readonly random?: () => number
}

export class Backoff {
  readonly #options: BackoffOptions
  #attempts = 0

  constructor(options: BackoffOptions) {
    this.#options = options
  }

  /** Milliseconds to wait before the next attempt: between half of the doubled time and all of it. */
  next(): number {
    const { firstMs, longestMs, random = Math.random } = this.#options
    const full = Math.min(longestMs, firstMs * 2 ** Math.min(this.#attempts, 30))
    this.#attempts += 1
    return full / 2 + (full / 2) * random()
  }

  /** After success: the next wait is the first again. */
  reset(): void {
    this.#attempts = 0
  }
}
