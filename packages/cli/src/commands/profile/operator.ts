/** What the commands on profiles share: a profile as an IstioOperator, and one subtree of it. */
import { isRecord } from '@lateen/base'
import { profileSpec, type Tree } from '@lateen/install'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'

/** @throws CommandError when there is no such profile */
export function operatorOf(name: string): Tree {
  try {
    return { apiVersion: 'install.istio.io/v1alpha1', kind: 'IstioOperator', spec: profileSpec(name) }
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error), { exitCode: EXIT.data })
  }
}

/** What stands at `components.pilot` or `spec.values.global`. @throws CommandError when nothing does */
export function subtreeAt(operator: Tree, path: string): unknown {
  const words = path.split('.').filter((word) => word !== '')
  let found: unknown = words[0] === 'spec' || words[0] === 'kind' || words[0] === 'apiVersion' ? operator : operator['spec']
  for (const word of words) {
    if (!isRecord(found) || !Object.hasOwn(found, word)) {
      throw new CommandError(`the profile has nothing at ${JSON.stringify(path)}`, { exitCode: EXIT.data })
    }
    found = found[word]
  }
  return found
}
