/**
 * Warnings about an object among the others: hosts, subsets and gateways that are not there, hosts that two rules claim, and what its
 * change breaks in others. Never a reason to refuse: the missing part may be on its way.
 */
import { ANALYZERS, type Analyzer, analyze, diagnosticsOf, type Finding, isIstioKind, readResource, type World } from '@lateen/analysis'
import type { KubeObject } from '@lateen/api'
import { type LiveWorld, UNREAD_KINDS } from '../analysis/live-world.ts'

export interface ObjectWarnings {
  /** At most a few lines, most severe first. */
  of(object: KubeObject): readonly string[]
}

const MAX_LINES = 10
/** Those who apply an object wait for this; what was not looked at by then is not said. */
const MAX_MS = 100
/** Analyzers that repeat what validation says of the object alone. */
const ALONE = /^schema\./

export function createObjectWarnings(world: LiveWorld): ObjectWarnings {
  return {
    of: (object) => {
      const resource = readResource(object)
      if (!resource || !isIstioKind(resource.kind)) return []
      // An object that is refused by itself counts for nothing among the others.
      if (diagnosticsOf(resource).some(({ severity }) => severity === 'Error')) return []
      const deadline = performance.now() + MAX_MS
      const { kind } = resource
      const analyzers = ANALYZERS.filter(({ name, inputs }) => inputs.includes(kind) && !ALONE.test(name))
      const after = findingsIn(world.read(resource), analyzers, deadline)
      const own = after.filter((finding) => finding.resource?.object === resource.object)
      const others = after.filter((finding) => finding.resource?.object !== resource.object)
      const before = others.length === 0 ? new Set<string>() : new Set(findingsIn(world.read(), analyzers, deadline).map(identity))
      const caused = others.filter((finding) => !before.has(identity(finding)))
      return [...own.map(lineOf), ...caused.map((finding) => `${finding.origin}: ${lineOf(finding)}`)].slice(0, MAX_LINES)
    },
  }
}

/** What the analyzers say before the deadline. */
function findingsIn(world: World, analyzers: readonly Analyzer[], deadline: number): Finding[] {
  const found: Finding[] = []
  for (const analyzer of analyzers) {
    if (performance.now() > deadline) break
    found.push(...analyze(world, { analyzers: [analyzer], unavailable: UNREAD_KINDS }).findings)
  }
  return found.filter(({ level }) => level !== 'Info')
}

const identity = ({ code, origin, path, text }: Finding): string => `${code} ${origin} ${path} ${text}`
const lineOf = ({ code, path, text }: Finding): string => `${path === '' ? '' : `${path}: `}${text} (${code})`
