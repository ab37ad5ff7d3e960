/** The embedded API server with a command line beside it, for commands that change objects. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KubeObject } from '@lateen/api'
import { type PodBackend, startApiServer } from '@lateen/apiserver'
import { connectionFromText, createKubeClient, type KubeClient } from '@lateen/kube'
import { begin, type Begun, inProcess, type Ran } from './in-process.ts'

export interface RealApi {
  readonly client: KubeClient
  readonly folder: string
  shell(...argv: string[]): Promise<Ran>
  /** One that runs until it is interrupted. */
  begin(...argv: string[]): Begun
  close(): Promise<void>
}

/** @param pods who runs pods; without it there is no node */
export async function startRealApi(crds: readonly KubeObject[], pods?: PodBackend): Promise<RealApi> {
  const folder = mkdtempSync(join(tmpdir(), 'lateen-cli-'))
  const server = await startApiServer({
    dataDir: join(folder, 'data'),
    listen: [{ host: '127.0.0.1', port: 0 }],
    serviceCidr: '10.96.0.0/16',
    nodePortRange: '30000-32767',
    extraSans: [],
    crds,
    ...(pods && { pods }),
    resolveService: () => Promise.reject(new Error('no Services are reachable in this test')),
  })
  const [address] = server.addresses
  const kubeconfig = JSON.stringify({
    'current-context': 'x',
    clusters: [
      {
        name: 'x',
        cluster: {
          server: `https://127.0.0.1:${typeof address === 'object' ? address.port : 0}`,
          'certificate-authority-data': Buffer.from(server.caPem).toString('base64'),
        },
      },
    ],
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x', namespace: 'default' } }],
    users: [{ name: 'x', user: { token: server.adminToken } }],
  })
  writeFileSync(join(folder, 'kubeconfig'), kubeconfig)
  const client = createKubeClient(connectionFromText(kubeconfig))
  const env = { LATEEN_HOME: folder, KUBECONFIG: join(folder, 'kubeconfig') }
  return {
    client,
    folder,
    shell: (...argv) => inProcess(argv, env),
    begin: (...argv) => begin(argv, env),
    close: async () => {
      client.close()
      await server.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
