/** `lateen demo --once`: what a new user runs first. */
import { expect, test } from 'vitest'
import { newMesh, stopMesh, whySkipped } from '../harness/mesh.ts'

test('the demo shows its routing and takes itself down', async (context) => {
  const reason = whySkipped()
  if (reason) return context.skip(reason)
  const mesh = await newMesh()
  try {
    const { code, output } = await mesh.lateen(
      'demo',
      '--once',
      '--api-port',
      String(mesh.apiPort),
      '--gateway-port',
      String(mesh.httpPort),
    )
    expect(code, output).toBe(0)
    expect(output).toMatch(/first 200/)
    expect((await mesh.lateen('status')).stdout).toContain('down')
  } finally {
    await stopMesh(mesh)
  }
})
