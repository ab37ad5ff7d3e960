/** A real Envoy, configured over ADS alone, for tests. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './until.ts'

export interface EnvoyOptions {
  /** Port of the xDS server on 127.0.0.1, or path of its socket. */
  readonly xds: number | string
  readonly delta: boolean
  readonly id?: string
}

/** Where Envoy is, or nothing: tests that need it are then skipped, visibly. */
export const ENVOY = process.env['ENVOY_PATH']

export class EnvoyProcess {
  readonly #child: ChildProcess
  readonly #directory: string
  readonly #output: string[]
  readonly admin: number

  private constructor(child: ChildProcess, directory: string, output: string[], admin: number) {
    this.#child = child
    this.#directory = directory
    this.#output = output
    this.admin = admin
  }

  static async start(options: EnvoyOptions): Promise<EnvoyProcess> {
    if (!ENVOY) throw new Error('ENVOY_PATH is not set')
    const directory = await mkdtemp(join(tmpdir(), 'xds-envoy-'))
    const config = join(directory, 'bootstrap.json')
    const adminFile = join(directory, 'admin')
    await writeFile(config, JSON.stringify(bootstrap(options)))
    const args = ['-c', config, '--admin-address-path', adminFile, '--concurrency', '1', '--disable-hot-restart', '-l', 'info']
    const child = spawn(ENVOY, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const output: string[] = []
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => output.push(data.toString()))
    const address = await until('Envoy tells its admin address', () => readFile(adminFile, 'utf8').catch(() => ''))
    return new EnvoyProcess(child, directory, output, Number(address.split(':').pop()))
  }

  get log(): string {
    return this.#output.join('')
  }

  /** What the admin interface says at a path; empty while it does not answer. */
  async get(path: string): Promise<string> {
    return fetch(`http://127.0.0.1:${this.admin}${path}`).then(
      (response) => response.text(),
      () => '',
    )
  }

  async ready(timeoutMs = 15_000): Promise<void> {
    await until('Envoy is ready', async () => (await this.get('/ready')).startsWith('LIVE'), timeoutMs).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.log.slice(-4000)}`)
    })
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise((resolve) => this.#child.once('exit', resolve))
      this.#child.kill('SIGKILL')
      await ended
    }
    await rm(this.#directory, { recursive: true, force: true })
  }
}

function bootstrap({ xds, delta, id = 'sidecar~127.0.0.1~test.default~default.svc.cluster.local' }: EnvoyOptions): unknown {
  const address = typeof xds === 'number' ? { socket_address: { address: '127.0.0.1', port_value: xds } } : { pipe: { path: xds } }
  return {
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    node: { id, cluster: 'test.default', metadata: { NAMESPACE: 'default', LABELS: { app: 'test' } } },
    dynamic_resources: {
      ads_config: {
        api_type: delta ? 'DELTA_GRPC' : 'GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds-grpc' } }],
      },
      lds_config: { ads: {}, initial_fetch_timeout: '0s', resource_api_version: 'V3' },
      cds_config: { ads: {}, initial_fetch_timeout: '0s', resource_api_version: 'V3' },
    },
    static_resources: {
      clusters: [
        {
          name: 'xds-grpc',
          type: 'STATIC',
          connect_timeout: '1s',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: { cluster_name: 'xds-grpc', endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
        },
      ],
    },
  }
}
