/** Runs istio-iptables where it is: flags are arguments, the exit code is its own. */
import { runCapture } from '../src/capture/run.ts'

process.exitCode = await runCapture(process.argv.slice(2), process.env)
