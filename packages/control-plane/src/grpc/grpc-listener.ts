/** A gRPC port of the control plane. */
import { type GrpcPort, type GrpcPortOptions, openGrpcPort } from '@lateen/xds'
import { listenError } from '../http/http-server.ts'
import type { Address } from '../options/discovery-options.ts'

export interface GrpcListenerOptions extends GrpcPortOptions {
  readonly name: string
  /** The flag that sets the address. */
  readonly flag: string
  readonly address: Address
}

/** @throws ListenError */
export function startGrpc(options: GrpcListenerOptions): Promise<GrpcPort> {
  return openGrpcPort(options).catch((error: unknown) => {
    throw listenError(options.name, options.flag, options.address, error)
  })
}
