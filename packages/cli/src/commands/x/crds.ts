/** `x crds`: the CRDs, made from the same definitions that validate objects. */
import { crds as definitions } from '@lateen/api'
import { stringify } from 'yaml'
import { command } from '../../shell/command.ts'

export const crds = command<readonly unknown[]>({
  help: 'Prints the CustomResourceDefinitions of Istio’s API, one YAML document each.',
  flags: [],
  examples: ['lateen x crds | kubectl apply -f -'],
  run: async () => definitions(),
  render: (documents) => documents.map((document) => stringify(document, { aliasDuplicateObjects: false }).trimEnd()).join('\n---\n'),
})
