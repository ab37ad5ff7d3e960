/** YAML as istioctl and kubectl write it: keys in the order of their names, words that older readers take for others in quotes. */
import { stringify } from 'yaml'

export function sortedYaml(value: unknown): string {
  // Version 1.1 has more words that must be quoted, such as `yes`; readers of Kubernetes' configuration know it.
  return stringify(value, { sortMapEntries: true, version: '1.1', lineWidth: 0, aliasDuplicateObjects: false })
}
