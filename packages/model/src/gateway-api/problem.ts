/** What keeps a Gateway, a listener or a route from working, as a condition of its status will say it. */

/** One of the reasons that the Gateway API lists, and words for people. */
export interface Problem {
  readonly reason: string
  readonly message: string
}

export const isProblem = (value: object | undefined): value is Problem => value !== undefined && 'reason' in value && 'message' in value
