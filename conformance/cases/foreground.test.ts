/** `lateen up` in a terminal: stays, and Ctrl-C takes the mesh down. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { LATEEN, newMesh, stopMesh, whySkipped } from '../harness/mesh.ts'

test('up stays in the foreground until Ctrl-C, which takes the mesh down', async (context) => {
  const reason = whySkipped()
  if (reason) return context.skip(reason)
  const mesh = await newMesh()
  const ports = ['--api-port', String(mesh.apiPort), '--gateway-port', String(mesh.httpPort)]
  const child = spawn(LATEEN, ['up', ...ports], { env: mesh.env, stdio: ['ignore', 'pipe', 'pipe'] })
  try {
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said += chunk
      })
    }
    await eventually(() => expect(said).toContain('Ctrl-C takes the mesh down'), { withinMs: 60_000 })
    expect(said).toContain(`https://127.0.0.1:${mesh.apiPort}`)
    expect((await mesh.lateen('status')).code).toBe(0)
    child.kill('SIGINT')
    const [code] = await once(child, 'exit')
    expect(code, said).toBe(0)
    expect((await mesh.lateen('status')).stdout).toContain(': down')
  } finally {
    child.kill('SIGKILL')
    await stopMesh(mesh)
  }
})
