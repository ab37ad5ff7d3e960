/**
 * Which pods a report is about: `--include` and `--exclude` in istioctl's form,
 * `namespaces/deployments/pods/labels/annotations/containers`, each a list with commas, `*` for any text, empty for all.
 */
import { ownerOfPod, readPod } from '@lateen/inject'
import type { PodObject } from '../../cluster/pods.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'

export interface Choice {
  readonly namespaces: readonly string[]
  readonly deployments: readonly string[]
  readonly pods: readonly string[]
  readonly labels: readonly string[]
  readonly annotations: readonly string[]
  readonly containers: readonly string[]
}

const PARTS = ['namespaces', 'deployments', 'pods', 'labels', 'annotations', 'containers'] as const

/** @throws CommandError when there are more parts than there may be */
export function parseChoice(text: string): Choice {
  const parts = text.split('/')
  if (parts.length > PARTS.length) {
    throw new CommandError(`"${text}": at most ${PARTS.join('/')} is wanted`, { exitCode: EXIT.usage })
  }
  const list = (index: number) => (parts[index] ?? '').split(',').filter((word) => word !== '')
  return { namespaces: list(0), deployments: list(1), pods: list(2), labels: list(3), annotations: list(4), containers: list(5) }
}

/** Whether a pod is in: of one of `include` (or that is empty), and of none of `exclude`. */
export function isChosen(pod: PodObject, include: readonly Choice[], exclude: readonly Choice[]): boolean {
  return (include.length === 0 || include.some((choice) => fits(pod, choice))) && !exclude.some((choice) => fits(pod, choice))
}

function fits(pod: PodObject, { namespaces, deployments, pods, labels, annotations }: Choice): boolean {
  const { name, namespace = '', labels: own = {}, annotations: notes = {} } = pod.metadata
  return (
    fitsAny(namespaces, namespace) &&
    (deployments.length === 0 || fitsAny(deployments, ownerName(pod))) &&
    fitsAny(pods, name) &&
    fitsPairs(labels, own) &&
    fitsPairs(annotations, notes)
  )
}

/** Containers of a pod whose logs are wanted. */
export function chosenContainers(names: readonly string[], include: readonly Choice[]): readonly string[] {
  const wanted = include.flatMap(({ containers }) => containers)
  return wanted.length === 0 ? names : names.filter((name) => fitsAny(wanted, name))
}

function ownerName(pod: PodObject): string {
  const read = readPod(pod)
  return 'pod' in read ? ownerOfPod(read.pod).name : pod.metadata.name
}

const fitsAny = (patterns: readonly string[], text: string): boolean =>
  patterns.length === 0 || patterns.some((pattern) => fitsGlob(pattern, text))

function fitsPairs(pairs: readonly string[], held: Readonly<Record<string, string>>): boolean {
  return pairs.every((pair) => {
    const [key = '', value = '*'] = pair.split('=')
    return Object.hasOwn(held, key) && fitsGlob(value, held[key] ?? '')
  })
}

/** `*` stands for any text; compared piece by piece, in linear time. */
export function fitsGlob(pattern: string, text: string): boolean {
  const pieces = pattern.split('*')
  const [first = '', ...rest] = pieces
  if (rest.length === 0) return pattern === text
  if (!text.startsWith(first)) return false
  let at = first.length
  const last = rest.pop() ?? ''
  for (const piece of rest) {
    const found = text.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}
