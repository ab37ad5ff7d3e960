/** What one analyzer is: its name, what it reads, what it may say, and a function over a world. */
import type { KindName } from './kinds.ts'
import type { ArgumentsOf, MessageName } from './messages/messages.ts'
import type { Resource } from './resource.ts'
import type { World } from './world.ts'

/** What an analyzer may read beside resources. */
export type Input = KindName | 'MeshConfig' | 'MeshNetworks'

/** Says a message about a resource; `path` is the part of it that is meant (`spec.gateways[0]`), empty for all of it. */
export type Report = <M extends MessageName>(message: M, about: Resource | MeshResource, args: ArgumentsOf<M>, path?: string) => void

/** Mesh configuration is no object of the cluster, yet messages are about it. */
export interface MeshResource {
  readonly kind: 'MeshConfig' | 'MeshNetworks'
  readonly namespace: string
  readonly name: string
}

export interface Analyzer {
  /** As istioctl lists it. */
  readonly name: string
  readonly description: string
  readonly inputs: readonly Input[]
  readonly messages: readonly MessageName[]
  analyze(world: World, report: Report): void
}
