/** What the API server is started with, and who runs its pods. */

import type { Duplex, Readable, Writable } from 'node:stream'
import type { KubeObject } from '@lateen/api'
import type { AuditOptions } from './audit/audit-log.ts'

export interface LogOptions {
  readonly follow: boolean
  readonly tailLines?: number
  readonly sinceSeconds?: number
  /** RFC 3339. */
  readonly sinceTime?: string
  readonly timestamps: boolean
  /** Of the instance before the last restart. */
  readonly previous: boolean
  readonly limitBytes?: number
}

export interface StreamIo {
  readonly stdin?: Readable
  readonly stdout?: Writable
  /** Absent with a terminal, whose two outputs are one. */
  readonly stderr?: Writable
  readonly tty: boolean
  /** Calls back with each size of the terminal, the first included. */
  readonly resize?: (callback: (columns: number, rows: number) => void) => void
  readonly signal: AbortSignal
}

/** Who runs containers; implemented by the node agent. Rejections carry `code` (an HTTP status) and `message`. */
export interface PodBackend {
  logs(namespace: string, pod: string, container: string, options: LogOptions, out: Writable, signal: AbortSignal): Promise<void>
  exec(namespace: string, pod: string, container: string, command: string[], io: StreamIo): Promise<{ exitCode: number }>
  attach(namespace: string, pod: string, container: string, io: StreamIo): Promise<{ exitCode: number }>
  portForward(namespace: string, pod: string, port: number): Promise<Duplex>
}

export type Listen = { readonly host: string; readonly port: number } | { readonly fd: number } | { readonly path: string }

export interface ApiServerOptions {
  /** Holds the store, the certificates and the keys; made when missing. */
  readonly dataDir: string
  readonly listen: readonly Listen[]
  /** IPv4, such as `10.96.0.0/16`. */
  readonly serviceCidr: string
  /**
   * A /96 range such as `fd00:10:96::`, of a dual-stack cluster: a Service's IPv6 address carries its IPv4 one. Without it, Services have
   * IPv4 addresses only.
   */
  readonly serviceIpv6Prefix?: string
  /** Such as `30000-32767`. */
  readonly nodePortRange: string
  /** Host names and addresses that the serving certificate names besides localhost and the cluster's own. */
  readonly extraSans: readonly string[]
  /** Made and kept in the data folder when not given. */
  readonly adminToken?: string
  /** CustomResourceDefinitions to install where they are missing or differ. */
  readonly crds: readonly KubeObject[]
  /** Issuer of service account tokens. */
  readonly issuer?: string
  /** Where a Service's port is reached from this process: for webhooks. */
  readonly resolveService: (namespace: string, name: string, port: number) => Promise<{ host: string; port: number }>
  readonly pods?: PodBackend
  /** Where requests over the network are recorded; nowhere when not given. */
  readonly audit?: AuditOptions
}
