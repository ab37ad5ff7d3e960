/** A gRPC port. */
import { Server, type ServerCredentials } from '@grpc/grpc-js'
import { listenError } from '../http/http-server.ts'
import { type Address, formatAddress } from '../options/discovery-options.ts'

export interface GrpcListenerOptions {
  readonly name: string
  /** The flag that sets the address. */
  readonly flag: string
  readonly address: Address
  readonly credentials: ServerCredentials
  readonly serverOptions: Readonly<Record<string, number>>
  readonly register: (server: Server) => void
}

export interface GrpcListener {
  readonly port: number
  /** Lets calls end within the time given, then cuts them. */
  close(graceMs: number): Promise<void>
}

/** @throws ListenError */
export async function startGrpc(options: GrpcListenerOptions): Promise<GrpcListener> {
  const server = new Server(options.serverOptions)
  options.register(server)
  const { host, port } = options.address
  const bound = await new Promise<number>((resolve, reject) => {
    // Without a host every address is meant, of both families.
    server.bindAsync(host === undefined ? `[::]:${port}` : formatAddress({ host, port }), options.credentials, (error, actual) => {
      if (error) reject(listenError(options.name, options.flag, options.address, error))
      else resolve(actual)
    })
  })
  return {
    port: bound,
    close: async (graceMs) => {
      const timer = setTimeout(() => server.forceShutdown(), graceMs)
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()))
      clearTimeout(timer)
    },
  }
}
