/** YAML of somebody who may mean harm: read in time that grows with its length alone. */
import { isScalar, type ParsedNode, parseDocument, visit } from 'yaml'

export interface ParseYamlOptions {
  /** How often aliases may be expanded; 0 for never. */
  readonly maxAliasCount: number
}

/**
 * The value of one document.
 *
 * @throws Error with a text for users where it is no YAML, has a key twice, or nests too deeply
 */
export function parseYaml(text: string, { maxAliasCount }: ParseYamlOptions): unknown {
  // The library compares each key of a mapping with all before it: 60 KB of keys would take seconds.
  const document = parseDocument<ParsedNode>(text, { uniqueKeys: false })
  const [error] = document.errors
  if (error) throw error
  const again = repeatedKey(document)
  if (again !== undefined) throw new Error(`the key "${again}" is there twice in one mapping`)
  return document.toJS({ maxAliasCount })
}

function repeatedKey(document: ReturnType<typeof parseDocument>): string | undefined {
  let found: string | undefined
  visit(document, {
    Map: (_, { items }) => {
      const keys = new Set<unknown>()
      for (const { key } of items) {
        const value = isScalar(key) ? key.value : key
        if (keys.has(value)) {
          found = String(value)
          return visit.BREAK
        }
        keys.add(value)
      }
      return undefined
    },
  })
  return found
}
