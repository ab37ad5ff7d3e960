/**
 * A control plane as a process of its own, so that a test can see what it costs: `node control-plane-process.ts FLAG…`, environment as
 * for `pilot-discovery`. Prints one line of JSON with its ports when it is ready.
 */
import { setLogSink } from '@lateen/base'
import { startControlPlane } from '../src/control-plane.ts'
import { readOptions } from '../src/options/discovery-options.ts'

setLogSink((line) => void process.stderr.write(`${line}\n`))
const plane = await startControlPlane(readOptions(process.argv.slice(2), process.env))
process.stdout.write(`${JSON.stringify(plane.ports)}\n`)
process.on('SIGTERM', () => void plane.close().then(() => process.exit(0)))
