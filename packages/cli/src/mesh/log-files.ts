/** Which logs a home has: of the mesh's own processes, and of containers by what the node agent wrote down about their pods. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Home, readJson } from './home.ts'

export interface LogFile {
  /** `cluster`, or `istio-system/istiod-5f6c/discovery`. */
  readonly component: string
  readonly path: string
}

export function logFiles(home: Home): LogFile[] {
  const own = list(home.logs)
    .filter((name) => name.endsWith('.log'))
    .map((name) => ({ component: name.slice(0, -'.log'.length), path: join(home.logs, name) }))
  const pods = list(join(home.node, 'pods')).flatMap((uid) => containerLogs(join(home.node, 'pods', uid)))
  return [...own, ...pods.sort((a, b) => a.component.localeCompare(b.component))]
}

/** The newest log of each container; earlier starts are `kubectl logs --previous`. */
function containerLogs(pod: string): LogFile[] {
  const record = readJson(join(pod, 'record.json'))
  if (typeof record !== 'object' || record === null || !('namespace' in record) || !('name' in record)) return []
  const { namespace, name } = record
  return list(join(pod, 'containers')).flatMap((container) => {
    const starts = list(join(pod, 'containers', container)).flatMap((file) => /^(\d+)\.log$/.exec(file)?.[1] ?? [])
    if (starts.length === 0) return []
    const newest = Math.max(...starts.map(Number))
    return [{ component: `${namespace}/${name}/${container}`, path: join(pod, 'containers', container, `${newest}.log`) }]
  })
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}
