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
  const words = (index: number) => (parts[index] ?? '').split(',').map((word) => word.trim())
  // A * alone stands for all, also where keys and values are wanted.
  const list = (index: number) => words(index).filter((word) => word !== '' && word !== '*')
  return { namespaces: list(0), deployments: list(1), pods: list(2), labels: list(3), annotations: list(4), containers: list(5) }
}

/** The containers of a pod that are in: of one of `include` (or that is empty), and of none of `exclude`. */
export function chosenContainers(
  pod: PodObject,
  containers: readonly string[],
  { include, exclude }: { readonly include: readonly Choice[]; readonly exclude: readonly Choice[] },
): readonly string[] {
  return containers.filter(
    (container) =>
      (include.length === 0 || include.some((choice) => fits(pod, container, choice))) &&
      !exclude.some((choice) => fits(pod, container, choice)),
  )
}

function fits(pod: PodObject, container: string, choice: Choice): boolean {
  const { name, namespace = '', labels = {}, annotations = {} } = pod.metadata
  return (
    fitsAny(choice.namespaces, namespace) &&
    (choice.deployments.length === 0 || fitsAny(choice.deployments, ownerName(pod))) &&
    fitsAny(choice.pods, name) &&
    fitsPairs(choice.labels, labels) &&
    fitsPairs(choice.annotations, annotations) &&
    fitsAny(choice.containers, container)
  )
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
