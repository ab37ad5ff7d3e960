/** Changes of the mesh configuration. */
import type { Mesh } from './mesh.ts'

/** Adds top-level fields, one JSON value each, to the mesh configuration as it stands. */
export async function addToMesh(mesh: Mesh, fields: Readonly<Record<string, unknown>>): Promise<void> {
  const text = await mesh.kubectl('get', 'configmap', 'istio', '-n', 'istio-system', '-o', 'jsonpath={.data.mesh}')
  const kept = text.split('\n').filter((line) => !Object.keys(fields).some((name) => line.startsWith(`${name}:`)))
  const added = Object.entries(fields).map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
  const patch = { data: { mesh: `${[...kept, ...added].join('\n')}\n` } }
  await mesh.kubectl('patch', 'configmap', 'istio', '-n', 'istio-system', '--type', 'merge', '-p', JSON.stringify(patch))
}
