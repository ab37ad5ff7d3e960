/** Mesh configuration for analysis: from a file, else from the cluster, else the defaults. */
import { readFileSync } from 'node:fs'
import type { Settings } from '@lateen/analysis'
import { type ConfigMap, parseMeshConfig, parseMeshNetworks, RESOURCE_TYPES } from '@lateen/api'
import { isNotFound, type KubeClient } from '@lateen/kube'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'

export type MeshSettings = Pick<Settings, 'meshConfig' | 'meshNetworks'>

/** @throws CommandError when the file cannot be read */
export function meshConfigOfFile(path: string): Pick<Settings, 'meshConfig'> {
  try {
    return { meshConfig: parseMeshConfig(readFileSync(path, 'utf8')).config }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError(`cannot read the mesh configuration ${path}: ${reason}`, { exitCode: EXIT.data, cause: error })
  }
}

/** The keys `mesh` and `meshNetworks` of the ConfigMap of a revision; nothing when there is none. */
export async function meshSettingsOfCluster(client: KubeClient, istioNamespace: string, revision: string): Promise<Partial<MeshSettings>> {
  const name = revision === '' || revision === 'default' ? 'istio' : `istio-${revision}`
  try {
    const { data = {} } = await client.get<ConfigMap>(RESOURCE_TYPES.ConfigMap, istioNamespace, name)
    return {
      ...(data['mesh'] !== undefined && { meshConfig: parseMeshConfig(data['mesh']).config }),
      ...(data['meshNetworks'] !== undefined && { meshNetworks: parseMeshNetworks(data['meshNetworks']).networks }),
    }
  } catch (error) {
    if (isNotFound(error)) return {}
    throw error
  }
}
