/**
 * How fast, and at what cost, changes reach many proxies.
 *
 *     node bench/xds.ts                 the embedded API server and `lateen discovery`, from this checkout's sources
 *     node bench/xds.ts --synthetic     the xDS server alone, over resources made of nothing
 *
 * Options: --proxies 200 --services 1000 --rounds 5 --lateen PATH (a built `lateen` in place of the sources).
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { controlPlane, fields, type Target } from './control-plane.ts'
import { loadGenerator } from './load-generator.ts'
import { Processes, run } from './processes.ts'
import { printComparison } from './xds-report.ts'

const { values: options } = parseArgs({
  options: {
    synthetic: { type: 'boolean', default: false },
    proxies: { type: 'string', default: '200' },
    services: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '5' },
    lateen: { type: 'string' },
  },
})

await using processes = new Processes()
const generator = await loadGenerator()
if ('missing' in generator) {
  process.stdout.write(`skipped: ${generator.missing}\n`)
} else {
  const folder = await mkdtemp(join(tmpdir(), 'lateen-bench-xds-'))
  try {
    await measure(generator.path, folder)
  } finally {
    await processes[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(generator: string, folder: string): Promise<void> {
  const target = options.synthetic
    ? await synthetic()
    : await controlPlane(processes, { generator, folder, services: options.services, lateen: options.lateen })
  const figures = join(folder, 'figures.json')
  const { api, token, xds, pid } = target
  const sizes = ['-services', options.services, '-proxies', options.proxies, '-rounds', options.rounds]
  await run([
    generator,
    'run',
    '-api',
    api,
    '-token',
    token,
    '-xds',
    xds,
    '-pid',
    String(pid),
    '-json',
    figures,
    '-timeout',
    '60s',
    ...sizes,
  ])
  printComparison(await readFile(figures, 'utf8'))
}

async function synthetic(): Promise<Target> {
  const server = processes.start('xds', [process.execPath, join(import.meta.dirname, 'synthetic-server.ts')], {
    SERVICES: options.services,
  })
  const { xds, api } = fields(await server.firstLine)
  return { api: `http://127.0.0.1:${api}`, token: '', xds: `127.0.0.1:${xds}`, pid: server.pid }
}
