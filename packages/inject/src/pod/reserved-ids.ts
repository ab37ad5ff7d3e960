/** User and group ids that OpenShift reserves for the pods of a namespace, as its annotations say. */

export interface ReservedIds {
  readonly uid: number | undefined
  readonly gid: number | undefined
}

/** The last id of each range: the first ones are for applications. */
export function reservedIds(namespaceAnnotations: Readonly<Record<string, string>>): ReservedIds {
  const uids = namespaceAnnotations['openshift.io/sa.scc.uid-range']
  const gids = namespaceAnnotations['openshift.io/sa.scc.supplemental-groups'] ?? uids
  return { uid: lastOfRange(uids), gid: lastOfRange(gids) }
}

/** The last id of `first/count` or `first-last`; lists of ranges count by their first. */
function lastOfRange(text: string | undefined): number | undefined {
  const match = /^([0-9]{1,10})([/-])([0-9]{1,10})/.exec(text ?? '')
  if (!match) return undefined
  return match[2] === '/' ? Number(match[1]) + Number(match[3]) - 1 : Number(match[3])
}
