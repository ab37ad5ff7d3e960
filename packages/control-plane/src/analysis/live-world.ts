/** The configuration as it stands, for analyzers: each object is read once, for as long as it stays the same. */
import { type AnyResource, type KindName, readResource, type Settings, World } from '@lateen/analysis'
import { type KubeObject, parseMeshConfig, parseMeshNetworks } from '@lateen/api'
import type { MeshDocuments } from '../mesh-config/mesh-documents.ts'

/** Kinds that the control plane does not read, or of which it keeps too little. */
export const UNREAD_KINDS: ReadonlySet<KindName> = new Set<KindName>([
  'ConfigMap',
  'CustomResourceDefinition',
  'Deployment',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
])

export interface LiveWorldOptions {
  readonly objects: () => Iterable<KubeObject>
  readonly mesh: () => MeshDocuments
}

export interface LiveWorld {
  /** The world as it is, or as it would be with a resource in place of the one of its name. */
  read(instead?: AnyResource): World
  /** What there is now; the same objects as in a world read now. */
  resources(): readonly AnyResource[]
}

export function createLiveWorld({ objects, mesh }: LiveWorldOptions): LiveWorld {
  const known = new WeakMap<KubeObject, AnyResource | 'other'>()
  const resourceOf = (object: KubeObject): AnyResource | undefined => {
    let resource = known.get(object)
    if (resource === undefined) known.set(object, (resource = readResource(object) ?? 'other'))
    return resource === 'other' ? undefined : resource
  }
  const settings = settingsReader()
  const resources = () => [...objects()].flatMap((object) => resourceOf(object) ?? [])
  return {
    read: (instead) => new World(instead ? [instead, ...resources()] : resources(), { ...settings(mesh()), now: Date.now() }),
    resources,
  }
}

type Read = Pick<Settings, 'meshConfig' | 'meshNetworks'>

/** Settings of the mesh configuration, read again only when it is another. */
function settingsReader(): (documents: MeshDocuments) => Read {
  let last: { readonly documents: MeshDocuments; readonly read: Read } | undefined
  return (documents) => {
    if (last?.documents !== documents) {
      const read = { meshConfig: parseMeshConfig(documents.mesh).config, meshNetworks: parseMeshNetworks(documents.networks).networks }
      last = { documents, read }
    }
    return last.read
  }
}
