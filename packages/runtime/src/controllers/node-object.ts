/** The Node object and its heartbeat. */
import { arch, availableParallelism, freemem, release, totalmem } from 'node:os'
import { KUBERNETES_VERSION } from '@lateen/api'
import { logger } from '@lateen/base'
import { isConflict, isNotFound, messageOf } from '../kube/api-failure.ts'
import { LEASE, NAMESPACE, NODE } from '../kube/kinds.ts'
import { type Controller, type ControllerContext, now } from './context.ts'

const HEARTBEAT_MS = 30_000
const LEASE_NAMESPACE = 'kube-node-lease'
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

export function nodeLabels(name: string): Record<string, string> {
  const architecture = ARCHITECTURES[arch()] ?? arch()
  return {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': architecture,
    'beta.kubernetes.io/os': 'linux',
    'beta.kubernetes.io/arch': architecture,
    'node-role.kubernetes.io/control-plane': '',
    'topology.kubernetes.io/region': 'local',
    'topology.kubernetes.io/zone': 'local',
  }
}

/** Creates the Node and keeps its heartbeat going. */
export async function nodeObject(context: ControllerContext): Promise<Controller> {
  const { client, node } = context
  await ensureNode()
  await writeStatus()
  const timer = setInterval(
    () => void beat().catch((error: unknown) => logger('cluster').debug(`heartbeat: ${messageOf(error)}`)),
    HEARTBEAT_MS,
  )
  timer.unref()
  void beat().catch((error: unknown) => logger('cluster').debug(`heartbeat: ${messageOf(error)}`))
  return {
    stop: async () => clearInterval(timer),
  }

  async function ensureNode(): Promise<void> {
    try {
      await client.create(NODE, {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: node.name, labels: nodeLabels(node.name) },
        spec: { podCIDR: node.podCidr, podCIDRs: [node.podCidr] },
      })
    } catch (error) {
      if (!isConflict(error)) throw error
      await client.patch(
        NODE,
        undefined,
        node.name,
        { metadata: { labels: nodeLabels(node.name) } },
        { type: 'application/merge-patch+json' },
      )
    }
  }

  async function writeStatus(): Promise<void> {
    const time = now()
    const condition = (type: string, status: string, reason: string, message: string) => ({
      type,
      status,
      reason,
      message,
      lastHeartbeatTime: time,
      lastTransitionTime: time,
    })
    const amounts = {
      cpu: String(availableParallelism()),
      memory: `${Math.floor(totalmem() / 1024)}Ki`,
      pods: '250',
      'ephemeral-storage': '100Gi',
    }
    const status = {
      addresses: [
        { type: 'InternalIP', address: node.address },
        { type: 'Hostname', address: node.name },
      ],
      capacity: amounts,
      allocatable: { ...amounts, memory: `${Math.floor(freemem() / 1024)}Ki` },
      conditions: [
        condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'the node has enough memory'),
        condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'the node has enough disk'),
        condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'the node has enough process ids'),
        condition('Ready', 'True', 'KubeletReady', 'the node runs pods as processes'),
      ],
      nodeInfo: {
        architecture: ARCHITECTURES[arch()] ?? arch(),
        bootID: '',
        containerRuntimeVersion: 'lateen://processes',
        kernelVersion: release(),
        kubeProxyVersion: KUBERNETES_VERSION,
        kubeletVersion: KUBERNETES_VERSION,
        machineID: '',
        operatingSystem: 'linux',
        osImage: 'the host',
        systemUUID: '',
      },
    }
    await client.patch(NODE, undefined, node.name, { status }, { type: 'application/merge-patch+json', subresource: 'status' })
  }

  async function beat(): Promise<void> {
    const renewTime = new Date().toISOString().replace('Z', '000Z')
    const spec = { holderIdentity: node.name, leaseDurationSeconds: 80, renewTime }
    try {
      await client.patch(LEASE, LEASE_NAMESPACE, node.name, { spec }, { type: 'application/merge-patch+json' })
    } catch (error) {
      if (!isNotFound(error)) throw error
      await client
        .create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: LEASE_NAMESPACE } })
        .catch((reason: unknown) => {
          if (!isConflict(reason)) throw reason
        })
      await client.create(LEASE, {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: node.name, namespace: LEASE_NAMESPACE },
        spec,
      })
    }
  }
}
