/** The files that every container finds: names, resolver, Lateen's own programs. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SAMPLES_DIRECTORY } from '../images/built-in.ts'
import { type Pod, podSpec } from '../kube/pod.ts'
import type { Mount } from './root-builder.ts'

export interface ClusterNames {
  readonly domain: string
  readonly dnsAddress: string
  /** The host's own resolvers, for `dnsPolicy: Default`. */
  readonly hostResolvConf: string
}

export function hostnameOf(pod: Pod): string {
  const name = podSpec(pod).hostname || pod.metadata.name
  return name.slice(0, 63).replace(/[-.]+$/, '')
}

/** Writes `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` of the pod and returns their mounts. */
export function writePodFiles(directory: string, pod: Pod, addresses: readonly string[], names: ClusterNames): Mount[] {
  mkdirSync(directory, { recursive: true })
  const files = { hosts: hosts(pod, addresses, names), hostname: `${hostnameOf(pod)}\n`, 'resolv.conf': resolvConf(pod, names) }
  return Object.entries(files).map(([name, content]) => {
    const source = join(directory, name)
    writeFileSync(source, content)
    chmodSync(source, 0o644)
    return { source, target: `/etc/${name}`, directory: false, readOnly: false }
  })
}

function hosts(pod: Pod, addresses: readonly string[], names: ClusterNames): string {
  const spec = podSpec(pod)
  const hostname = hostnameOf(pod)
  const full = spec.subdomain ? `${hostname}.${spec.subdomain}.${pod.metadata.namespace}.svc.${names.domain}\t` : ''
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...addresses.map((address) => `${address}\t${full}${hostname}`),
  ]
  for (const alias of spec.hostAliases ?? []) lines.push(`${alias.ip}\t${(alias.hostnames ?? []).join('\t')}`)
  return `${lines.join('\n')}\n`
}

/** The server is on this machine: what it has not answered after a second was lost, as when it was just being started again. */
const CLUSTER_OPTIONS: readonly (readonly [string, string])[] = [
  ['ndots', '5'],
  ['timeout', '1'],
  ['attempts', '5'],
]

function resolvConf(pod: Pod, names: ClusterNames): string {
  const { dnsPolicy = 'ClusterFirst', dnsConfig, hostNetwork } = podSpec(pod)
  const cluster = dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && !hostNetwork)
  const lines: string[] = []
  const own = ['svc', ''].map((part) => (part ? `${part}.${names.domain}` : names.domain))
  const nameservers = [...(cluster ? [names.dnsAddress] : []), ...(dnsConfig?.nameservers ?? [])]
  const searches = [...(cluster ? [`${pod.metadata.namespace}.svc.${names.domain}`, ...own] : []), ...(dnsConfig?.searches ?? [])]
  const options = new Map<string, string | undefined>(cluster ? CLUSTER_OPTIONS : [])
  for (const { name, value } of dnsConfig?.options ?? []) options.set(name, value)
  if (!cluster && dnsPolicy !== 'None') lines.push(names.hostResolvConf.trimEnd())
  for (const server of nameservers.slice(0, 3)) lines.push(`nameserver ${server}`)
  if (searches.length > 0) lines.push(`search ${[...new Set(searches)].join(' ')}`)
  if (options.size > 0)
    lines.push(`options ${[...options].map(([name, value]) => (value === undefined ? name : `${name}:${value}`)).join(' ')}`)
  return `${lines.join('\n')}\n`
}

export interface Programs {
  /** Root of the Lateen installation, with `dist/`. */
  readonly lateenDir: string
  readonly nodeBinary: string
  readonly envoyPath: string | undefined
  readonly samplesDir: string
}

const NODE = '/usr/local/bin/node'
const LATEEN = '/usr/local/lib/lateen'
/**
 * The programs on every pod's PATH, with the V8 flags of each. An agent runs beside every Envoy and computes little: without
 * compilers it is 10 MB smaller. Words that several programs have (`request`, `version`) go by the program's name.
 */
const PROGRAMS = [
  { name: 'lateen', flags: '' },
  { name: 'pilot-agent', flags: '--lite-mode --max-semi-space-size=1 ' },
  { name: 'pilot-discovery', flags: '' },
] as const

/** Writes the small programs that stand on every pod's PATH and returns the mounts that make them work. */
export function programMounts(directory: string, programs: Programs): Mount[] {
  const mounts: Mount[] = [
    { source: programs.lateenDir, target: LATEEN, directory: true, readOnly: true },
    { source: programs.samplesDir, target: SAMPLES_DIRECTORY, directory: true, readOnly: true },
    { source: programs.nodeBinary, target: NODE, directory: false, readOnly: true },
  ]
  if (programs.envoyPath && existsSync(programs.envoyPath))
    mounts.push({ source: programs.envoyPath, target: '/usr/local/bin/envoy', directory: false, readOnly: true })
  for (const { name, flags } of PROGRAMS) {
    const source = join(directory, name)
    const text = `#!/bin/sh\nLATEEN_PROGRAM=${name} exec ${NODE} ${flags}${LATEEN}/dist/lateen.mjs "$@"\n`
    if (!existsSync(source) || readFileSync(source, 'utf8') !== text) writeFileSync(source, text)
    chmodSync(source, 0o755)
    mounts.push({ source, target: `/usr/local/bin/${name}`, directory: false, readOnly: true })
  }
  return mounts
}
