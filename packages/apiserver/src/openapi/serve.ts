import type { ApiAnswer } from '../http/request.ts'
import type { Registry } from '../registry/registry.ts'
export async function openApiAnswer(_registry: Registry, _path: string, _accept: string): Promise<ApiAnswer | undefined> {
  return undefined
}
