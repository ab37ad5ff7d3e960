/** An API server for tests: the embedded one in this process, or the one of `KUBECONFIG_UNDER_TEST`. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KubeObject } from '@lateen/api'
import { startApiServer } from '@lateen/apiserver'
import { createKubeClient } from '../src/client.ts'
import type { Connection } from '../src/connection.ts'
import { staticCredentials } from '../src/credentials.ts'
import { loadConnection } from '../src/kubeconfig.ts'
import type { KubeClient } from '../src/types.ts'

export interface TestApi {
  readonly client: KubeClient
  readonly connection: Connection
  /** Ends the server and starts it again on the same data and address; `false` for a server that is not ours. */
  restart(): Promise<boolean>
  close(): Promise<void>
}

export async function startTestApi(crds: readonly KubeObject[] = []): Promise<TestApi> {
  const given = process.env.KUBECONFIG_UNDER_TEST
  if (given) {
    const connection = loadConnection({ path: given })
    const client = createKubeClient(connection)
    return { client, connection, restart: () => Promise.resolve(false), close: async () => client.close() }
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'kube-'))
  const start = (port: number) =>
    startApiServer({
      dataDir,
      listen: [{ host: '127.0.0.1', port }],
      serviceCidr: '10.96.0.0/16',
      nodePortRange: '30000-32767',
      extraSans: [],
      crds,
      resolveService: () => Promise.reject(new Error('no Services are reachable in this test')),
    })
  let server = await start(0)
  const [address] = server.addresses
  const port = typeof address === 'object' ? address.port : 0
  const connection: Connection = {
    server: new URL(`https://127.0.0.1:${port}`),
    ca: server.caPem,
    insecureSkipTlsVerify: false,
    credentials: staticCredentials({ token: server.adminToken }),
    namespace: 'default',
    origin: 'test',
  }
  const client = createKubeClient(connection)
  return {
    client,
    connection,
    restart: async () => {
      await server.close()
      server = await start(port)
      return true
    },
    close: async () => {
      client.close()
      await server.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
