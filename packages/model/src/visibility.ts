/** `exportTo`: the namespaces that may see an object. */

/** `'*'`: every namespace; otherwise a sorted list of namespaces, empty for none. */
export type Visibility = '*' | readonly string[]

/**
 * Reads an `exportTo` list: `*` is everyone, `.` the object's own namespace, `~` nobody. An empty list means `fallback`, the mesh's
 * default for the kind.
 */
export function visibilityOf(exportTo: readonly string[] | undefined, namespace: string, fallback: readonly string[]): Visibility {
  const list = exportTo && exportTo.length > 0 ? exportTo : fallback
  if (list.length === 0 || list.includes('*')) return '*'
  const names = list.filter((name) => name !== '~').map((name) => (name === '.' ? namespace : name))
  return [...new Set(names)].sort()
}

/** Whether a namespace may see it; the empty namespace stands for one that is named in no list. */
export function visibleTo(visibility: Visibility, namespace: string): boolean {
  return visibility === '*' || visibility.includes(namespace)
}
