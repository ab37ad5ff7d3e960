/** Runs analyzers over a world: findings, in order, without duplicates. */
import type { Severity } from '@lateen/base'
import type { Analyzer, Input, MeshResource, Report } from './analyzer.ts'
import type { KindName } from './kinds.ts'
import { type ArgumentsOf, MESSAGES, type MessageName } from './messages/messages.ts'
import { friendlyName, fullName, type Resource } from './resource.ts'
import type { World } from './world.ts'

/** One thing that is wrong. */
export interface Finding {
  readonly message: MessageName
  readonly code: string
  readonly level: Severity
  /** `VirtualService shop/cart`. */
  readonly origin: string
  readonly text: string
  /** The part of the object that is meant; empty for all of it. */
  readonly path: string
  /** `file:line`; absent for live objects. */
  readonly reference?: string
  readonly cluster?: string
  /** The resource that it is about; absent for mesh configuration. */
  readonly resource?: Resource
}

export interface AnalyzeOptions {
  readonly analyzers: readonly Analyzer[]
  /** Kinds that could not be read, or are left out on purpose: analyzers that need one of them are skipped. */
  readonly unavailable?: ReadonlySet<KindName>
}

export interface Analysis {
  readonly findings: readonly Finding[]
  readonly executed: readonly string[]
  readonly skipped: readonly string[]
}

export function analyze(world: World, { analyzers, unavailable = new Set() }: AnalyzeOptions): Analysis {
  const lacks = ({ inputs }: Analyzer) => inputs.some((input) => isUnavailable(input, unavailable))
  const executed = analyzers.filter((analyzer) => !lacks(analyzer))
  const found: Finding[] = []
  const report: Report = (message, about, args, path = '') => void found.push(findingOf(message, about, args, path))
  for (const analyzer of executed) analyzer.analyze(world, report)
  return { findings: inOrder(found), executed: executed.map(nameOf), skipped: analyzers.filter(lacks).map(nameOf) }
}

const nameOf = ({ name }: Analyzer): string => name
const isUnavailable = (input: Input, unavailable: ReadonlySet<KindName>): boolean =>
  input !== 'MeshConfig' && input !== 'MeshNetworks' && unavailable.has(input)

function findingOf<M extends MessageName>(message: M, about: Resource | MeshResource, args: ArgumentsOf<M>, path: string): Finding {
  const { code, level, text } = MESSAGES[message]
  // The catalogue's entry under `message` takes the arguments of `message`.
  const words = (text as (args: ArgumentsOf<M>) => string)(args)
  const base = { message, code, level, text: words, path }
  if (!('origin' in about)) return { ...base, origin: `${about.kind} ${fullName(about)}` }
  const { file, cluster } = about.origin
  const line = about.origin.positionOf?.(path)?.line
  return {
    ...base,
    origin: friendlyName(about),
    resource: about,
    ...(file !== undefined && { reference: line === undefined ? file : `${file}:${line}` }),
    ...(cluster !== undefined && { cluster }),
  }
}

const RANK: Readonly<Record<Severity, number>> = { Error: 0, Warning: 1, Info: 2 }

/**
 * By cluster, level, code, kind, name, namespace, words. What is said of one place is said once; what is said of an object as a
 * whole, in whichever part it was found, is said at its first.
 */
function inOrder(findings: readonly Finding[]): Finding[] {
  const keyed = findings.map((finding) => ({ finding, key: sortKey(finding) })).sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  const said = new Set<string>()
  return keyed.flatMap(({ finding }) => {
    const { message, reference = '', text } = finding
    const key = [subjectKey(finding), SAID_OF_PLACES.has(message) ? reference : '', text].join('\u0001')
    if (said.has(key)) return []
    said.add(key)
    return [finding]
  })
}

/** Messages about single values of an object: each place of them is a finding of its own, even in the same words. */
const SAID_OF_PLACES: ReadonlySet<MessageName> = new Set<MessageName>([
  'AlphaAnnotation',
  'DeprecatedAnnotation',
  'ExternalNameServiceTypeInvalidPortName',
  'GatewayPortNotDefinedOnService',
  'IngressRouteRulesNotAffected',
  'InvalidAnnotation',
  'InvalidGatewayCredential',
  'MisplacedAnnotation',
  'NoServerCertificateVerificationPortLevel',
  'PortNameIsNotUnderNamingConvention',
  'ReferencedInternalGateway',
  'ReferencedResourceNotFound',
  'ServiceEntryAddressesRequired',
  'UnknownAnnotation',
  'VirtualServiceDestinationPortSelectorRequired',
  'VirtualServiceHostNotFoundInGateway',
])

function sortKey(finding: Finding): string {
  return [subjectKey(finding), padded(finding.reference ?? ''), finding.text].join('\u0001')
}

function subjectKey({ cluster = '', level, code, origin, resource }: Finding): string {
  const place = resource ? `${resource.object.kind}\u0000${resource.name}\u0000${resource.namespace}` : origin
  return [cluster, RANK[level], code, place].join('\u0001')
}

/** So that line 9 comes before line 10. */
const padded = (reference: string): string => reference.replace(/\d+$/, (line) => line.padStart(8, '0'))

export const isAtLeast = (level: Severity, threshold: Severity): boolean => RANK[level] <= RANK[threshold]
