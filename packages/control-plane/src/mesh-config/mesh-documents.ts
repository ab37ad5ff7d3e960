/** The mesh configuration and the mesh networks as written by the user: parsed, not yet merged over the defaults. */

import type { LabelSelector } from '@lateen/api'
import { parse } from 'yaml'

export type Fields = Readonly<Record<string, unknown>>

export interface MeshDocuments {
  readonly mesh: Fields
  readonly networks: Fields
}

/** A document that cannot be used; the message says where it stands. */
export class MeshConfigError extends Error {
  override readonly name = 'MeshConfigError'
  readonly code = 'MESH_CONFIG'
}

const MAX_TEXT = 4 << 20

/**
 * Parses one document; an empty text is an empty document.
 *
 * @param where how messages name it: `ConfigMap istio-system/istio, key mesh`
 * @throws MeshConfigError
 */
export function parseMeshDocument(text: string, where: string): Fields {
  if (text.length > MAX_TEXT) throw new MeshConfigError(`${where} is longer than ${MAX_TEXT} characters`)
  let value: unknown
  try {
    value = parse(text)
  } catch (cause) {
    throw new MeshConfigError(`${where} is not YAML: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  if (value === null || value === undefined) return {}
  if (!isFields(value)) throw new MeshConfigError(`${where} must be a mapping of field names to values, as "trustDomain: cluster.local"`)
  return value
}

/** The fields that the control plane itself acts on. */
export interface MeshView {
  readonly trustDomain: string
  readonly trustDomainAliases: readonly string[]
  readonly rootNamespace: string
  readonly discoverySelectors: readonly LabelSelector[]
}

export function meshView({ mesh }: MeshDocuments, namespace: string): MeshView {
  const selectors = Array.isArray(mesh.discoverySelectors) ? mesh.discoverySelectors.filter(isFields) : []
  return {
    trustDomain: typeof mesh.trustDomain === 'string' && mesh.trustDomain !== '' ? mesh.trustDomain : 'cluster.local',
    trustDomainAliases: Array.isArray(mesh.trustDomainAliases) ? mesh.trustDomainAliases.filter((alias) => typeof alias === 'string') : [],
    rootNamespace: typeof mesh.rootNamespace === 'string' && mesh.rootNamespace !== '' ? mesh.rootNamespace : namespace,
    discoverySelectors: selectors,
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
