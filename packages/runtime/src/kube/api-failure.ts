/** Reads the kind of a failed API call without depending on which client made it. */

function statusCode(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined
}

export const isNotFound = (error: unknown): boolean => statusCode(error) === 404
export const isConflict = (error: unknown): boolean => statusCode(error) === 409
export const isInvalid = (error: unknown): boolean => statusCode(error) === 422 || statusCode(error) === 400
export const isForbidden = (error: unknown): boolean => statusCode(error) === 403

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Runs a call whose object may be gone already: a 404 is no failure. */
export async function ignoreMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
