/** From a CustomResourceDefinition to the kinds that it serves. */
import { type Column, collectionName, type Kind } from '../registry/kind.ts'
import { decode } from '../schema/decode.ts'
import { ANY } from '../schema/schema.ts'
import { age, timeSince } from '../table/column-parts.ts'
import { at, isObj, list, num, type Obj, obj, objs, str } from '../values.ts'
import { jsonPath } from './json-path.ts'
import { validateRules } from './rules.ts'
import { applyDefaults, structuralSchema } from './structural.ts'
import { validateSchema } from './validate.ts'

/** One kind for each served version; stored in the storage version. */
export function kindsOf(crd: Obj): Kind[] {
  const spec = obj(crd['spec'])
  const names = obj(spec['names'])
  const group = str(spec['group'])
  const plural = str(names['plural'])
  const kind = str(names['kind'])
  const versions = objs(spec['versions'])
  const storageVersion = str(versions.find((v) => v['storage'] === true)?.['name'])
  return versions
    .filter((version) => version['served'] === true)
    .map((version): Kind => {
      const versionName = str(version['name'])
      const source = at(version, 'schema', 'openAPIV3Schema')
      const openApi = isObj(source) ? source : undefined
      const preserve = at(spec, 'preserveUnknownFields') === true
      let made: Kind['schema'] | undefined
      const schema = () => (made ??= openApi ? { ...structuralSchema(openApi), ...(preserve ? { preserve } : {}) } : ANY)
      const subresources = obj(version['subresources'])
      const hasStatus = subresources['status'] !== undefined
      const scale = subresources['scale']
      const deprecated =
        version['deprecated'] === true ? str(version['deprecationWarning']) || `${group}/${versionName} ${kind} is deprecated` : undefined
      const labelSelectorPath = str(at(scale, 'labelSelectorPath'))
      return {
        group,
        version: versionName,
        kind,
        listKind: str(names['listKind']) || `${kind}List`,
        plural,
        singular: str(names['singular']) || kind.toLowerCase(),
        namespaced: spec['scope'] === 'Namespaced',
        shortNames: list(names['shortNames']).map(str),
        categories: list(names['categories']).map(str),
        collection: collectionName(group, plural),
        storageVersion,
        get schema() {
          return schema()
        },
        subresources: new Set([...(hasStatus ? ['status'] : []), ...(isObj(scale) ? ['scale'] : [])]),
        hasStatus,
        countsGeneration: true,
        strategy: {},
        columns: columnsOf(version),
        selectable: objs(version['selectableFields']).map((f) => str(f['jsonPath']).replace(/^\./, '')),
        custom: {
          name: str(at(crd, 'metadata', 'name')),
          deprecation: deprecated,
          openApi,
          applyDefaults: (object) => applyDefaults(schema(), object),
          validate: (object, old) => {
            if (!openApi) return []
            const errors = validateSchema(openApi, object, '', true)
            return errors.length > 0 ? errors : validateRules(openApi, object, old)
          },
          ...(isObj(scale)
            ? {
                scale: {
                  specReplicasPath: str(scale['specReplicasPath']),
                  statusReplicasPath: str(scale['statusReplicasPath']),
                  ...(labelSelectorPath ? { labelSelectorPath } : {}),
                },
              }
            : {}),
        },
      }
    })
}

/** Drops from a stored object what the schema of the asked version does not know. */
export function pruneStored(kind: Kind, object: Obj): unknown {
  return decode(kind.schema, object, '', { unknown: () => undefined, lenient: true }, true)
}

const AGE: Column = { ...age, type: 'date' }

function columnsOf(version: Obj): Column[] {
  const columns = objs(version['additionalPrinterColumns'])
  const name: Column = { name: 'Name', type: 'string', format: 'name', priority: 0, cell: (o) => at(o, 'metadata', 'name') }
  if (columns.length === 0) return [name, AGE]
  return [
    name,
    ...columns.map((column): Column => {
      const path = str(column['jsonPath'])
      const type = str(column['type'])
      return {
        name: str(column['name']),
        type: type === 'integer' || type === 'number' || type === 'boolean' || type === 'date' ? type : 'string',
        ...(str(column['format']) ? { format: str(column['format']) } : {}),
        description: str(column['description']),
        priority: num(column['priority']),
        cell: (o) => {
          const found = jsonPath(o, path)
          if (found.length === 0) return null
          const value = found[0]
          if (type === 'date') {
            const time = Date.parse(text(value))
            return Number.isNaN(time) ? '<invalid>' : timeSince(Date.now() - time)
          }
          if (type === 'integer' || type === 'number' || type === 'boolean') return value
          if (found.length > 1) return `[${found.map(text).join(' ')}]`
          return text(value)
        },
      }
    }),
  ]
}

const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
