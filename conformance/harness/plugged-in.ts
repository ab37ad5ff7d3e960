/** The mesh's CA as its operator sees and changes it: Secret `cacerts`, `lateen ca status`. */
import { expect } from 'vitest'
import { documents } from './echo.ts'
import { eventually } from './eventually.ts'
import type { Mesh } from './mesh.ts'

export interface StatusReport {
  readonly root: { readonly fingerprint: string }
  readonly rotation?: { readonly phase: string }
}

export async function caStatus(mesh: Mesh): Promise<StatusReport> {
  const { code, stdout, output } = await mesh.lateen('ca', 'status', '-o', 'json')
  if (code !== 0) throw new Error(output)
  return JSON.parse(stdout)
}

/** Puts a CA into Secret `cacerts`, by its entries. */
export async function plugIn(mesh: Mesh, entries: Readonly<Record<string, string>>): Promise<void> {
  const data = Object.fromEntries(Object.entries(entries).map(([key, text]) => [key, Buffer.from(text).toString('base64')]))
  await mesh.apply(documents({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'cacerts', namespace: 'istio-system' }, data }))
}

/** Waits until the root of this fingerprint is in force and no change is under way. */
export async function changedTo(mesh: Mesh, fingerprint: string): Promise<void> {
  await eventually(
    async () => {
      const { root, rotation } = await caStatus(mesh)
      expect({ root: root.fingerprint, rotation }).toEqual({ root: fingerprint, rotation: undefined })
    },
    { withinMs: 60_000 },
  )
}
