/** What a proxy says about itself. */
import type { ConfigDump } from './dump.ts'
import { at, number, text } from './fields.ts'

/** Lines of name and value: versions of the mesh, of its proxy, and of Envoy. */
export function bootstrapSummary(dump: ConfigDump): readonly (readonly [string, string])[] {
  const node = at(dump.section('BootstrapConfigDump'), 'bootstrap', 'node')
  const metadata = at(node, 'metadata')
  const sha = text(at(metadata, 'ISTIO_PROXY_SHA'))
  const lines: [string, string][] = [
    ['Istio Version:', text(at(metadata, 'ISTIO_VERSION'))],
    ['Istio Proxy Version:', sha.split(':')[1] ?? sha],
    ['Envoy Version:', envoyVersion(at(node, 'user_agent_build_version'))],
  ]
  return lines.filter(([, value]) => value !== '')
}

function envoyVersion(build: unknown): string {
  const version = ['major_number', 'minor_number', 'patch'].map((name) => number(at(build, 'version', name))).join('.')
  const label = text(at(build, 'metadata', 'build.label'))
  const more = ['revision.status', 'build.type', 'ssl.version']
    .map((name) => text(at(build, 'metadata', name)))
    .filter((part) => part !== '')
  return [`${version}${label ? `-${label}` : ''}`, ...more].join('/')
}
