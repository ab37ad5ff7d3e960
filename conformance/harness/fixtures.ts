/** Applications that several test files use. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mesh } from './mesh.ts'

const folder = join(import.meta.dirname, '../fixtures')

export const fixture = (name: string) => readFileSync(join(folder, `${name}.yaml`), 'utf8')

/** The `shop` namespace, running and reachable through the gateway under the host `shop.example`. */
export async function deployShop(mesh: Mesh): Promise<void> {
  await mesh.apply(fixture('shop'))
  for (const name of ['hello-v1', 'hello-v2', 'httpbin', 'curl']) await mesh.rolledOut(name, 'shop')
}

/** A VirtualService of the namespace `shop`; `spec` is its YAML below `spec:`, indented by two. */
export function virtualService(name: string, spec: string): string {
  return `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${name}, namespace: shop }\nspec:\n${spec}`
}

export const versionOf = ({ status, body }: { readonly status: number; readonly body: string }) =>
  status === 200 ? (/version: (v\d)/.exec(body)?.[1] ?? `200 ${body.slice(0, 60)}`) : String(status)
