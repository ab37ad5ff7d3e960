/** The embedded API server as a process of its own, on a folder given as the argument. Prints one line of JSON when it listens. */
import { crds } from '@lateen/api'
import { startApiServer } from '@lateen/apiserver'

const [dataDir] = process.argv.slice(2)
if (!dataDir) throw new Error('usage: api-server.ts FOLDER')

const server = await startApiServer({
  dataDir,
  listen: [{ host: '127.0.0.1', port: 0 }],
  // The load generator picks its own cluster addresses in 10.97 and following.
  serviceCidr: '10.96.0.0/12',
  nodePortRange: '30000-32767',
  extraSans: [],
  crds: crds(),
  resolveService: () => Promise.reject(new Error('this benchmark has no Services to call')),
})
const [address] = server.addresses
const port = typeof address === 'object' ? address.port : 0
process.stdout.write(`${JSON.stringify({ port, token: server.adminToken, ca: server.caPem })}\n`)
process.on('SIGTERM', () => void server.close().then(() => process.exit(0)))
