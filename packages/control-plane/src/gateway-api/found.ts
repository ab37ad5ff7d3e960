import { isNotFound } from '@lateen/kube'

/** What a request answers; undefined where the API server says that it is not there. */
export async function found<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
