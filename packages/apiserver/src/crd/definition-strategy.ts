/** CustomResourceDefinitions: defaults and checks of the definition itself. */
import { type FieldError, fieldForbidden, invalid, required, unsupported } from '../errors.ts'
import type { Strategy } from '../registry/kind.ts'
import { at, fill, into, isObj, list, type Obj, obj, objs, str } from '../values.ts'
import { compilePattern } from './pattern.ts'

export const customResourceDefinitionStrategy: Strategy = {
  defaults: (o) => {
    const spec = into(o, 'spec')
    const names = into(spec, 'names')
    if (str(names['singular']) === '') names['singular'] = str(names['kind']).toLowerCase()
    if (str(names['listKind']) === '') names['listKind'] = `${str(names['kind'])}List`
    if (!isObj(spec['conversion'])) spec['conversion'] = { strategy: 'None' }
    for (const version of objs(spec['versions']))
      for (const column of objs(version['additionalPrinterColumns'])) if (column['priority'] === 0) delete column['priority']
    fill(into(o, 'metadata'), 'annotations', undefined)
  },
  prepareCreate: (o) => {
    o['status'] = { conditions: [], acceptedNames: { plural: '', kind: '' }, storedVersions: storageVersions(o) }
  },
  prepareUpdate: (o, old) => {
    const status: Obj = { ...obj(old['status']) }
    const versions = list(status['storedVersions'])
    for (const version of storageVersions(o)) if (!versions.includes(version)) versions.push(version)
    status['storedVersions'] = [...versions]
    o['status'] = status
  },
  validate: (o, old) => {
    const errors: FieldError[] = []
    const spec = obj(o['spec'])
    const group = str(spec['group'])
    const names = obj(spec['names'])
    const plural = str(names['plural'])
    const name = str(at(o, 'metadata', 'name'))
    if (group === '') errors.push(required('spec.group'))
    if (plural === '') errors.push(required('spec.names.plural'))
    if (str(names['kind']) === '') errors.push(required('spec.names.kind'))
    if (name !== `${plural}.${group}`) errors.push(invalid('metadata.name', name, 'must be spec.names.plural+"."+spec.group'))
    if (!['Namespaced', 'Cluster'].includes(str(spec['scope'])))
      errors.push(
        spec['scope'] === undefined ? required('spec.scope') : unsupported('spec.scope', spec['scope'], ['Cluster', 'Namespaced']),
      )
    if (old && at(old, 'spec', 'scope') !== spec['scope']) errors.push(invalid('spec.scope', spec['scope'], 'field is immutable'))
    const versions = objs(spec['versions'])
    if (versions.filter((v) => v['storage'] === true).length !== 1)
      errors.push(
        invalid(
          'spec.versions',
          versions.map((v) => v['name']),
          'must have exactly one version marked as storage version',
        ),
      )
    const seen = new Set<string>()
    versions.forEach((version, i) => {
      const path = `spec.versions[${i}]`
      const versionName = str(version['name'])
      if (!/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(versionName)) errors.push(invalid(`${path}.name`, versionName, 'must be a DNS-1035 label'))
      if (seen.has(versionName))
        errors.push({ field: `${path}.name`, reason: 'FieldValueDuplicate', message: `Duplicate value: "${versionName}"` })
      seen.add(versionName)
      const schema = at(version, 'schema', 'openAPIV3Schema')
      if (!isObj(schema)) errors.push(required(`${path}.schema.openAPIV3Schema`, 'schemas are required'))
      else checkSchema(schema, `${path}.schema.openAPIV3Schema`, errors, 0, true)
    })
    const strategy = str(at(spec, 'conversion', 'strategy'))
    if (strategy === 'Webhook')
      errors.push(fieldForbidden('spec.conversion.strategy', 'conversion webhooks are not available in this API server; use None'))
    else if (strategy !== 'None') errors.push(unsupported('spec.conversion.strategy', strategy, ['None', 'Webhook']))
    return errors
  },
}

const storageVersions = (o: Obj): string[] =>
  objs(at(o, 'spec', 'versions'))
    .filter((v) => v['storage'] === true)
    .map((v) => str(v['name']))

const MAX_DEPTH = 64

/** What makes a schema structural, as far as it matters for the rest of the server to be exact. */
function checkSchema(schema: Obj, path: string, errors: FieldError[], depth: number, root = false): void {
  if (depth > MAX_DEPTH) {
    errors.push(invalid(path, '', `is nested more than ${MAX_DEPTH} levels deep`))
    return
  }
  const type = str(schema['type'])
  const loose = schema['x-kubernetes-int-or-string'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true
  if (type === '' && !loose)
    errors.push(required(`${path}.type`, root ? 'must not be empty at the root' : 'must not be empty for specified object fields'))
  if (type !== '' && !['object', 'array', 'string', 'integer', 'number', 'boolean'].includes(type))
    errors.push(unsupported(`${path}.type`, type, ['array', 'boolean', 'integer', 'number', 'object', 'string']))
  if (root && type !== 'object') errors.push(invalid(`${path}.type`, type, 'must be object at the root'))
  const pattern = schema['pattern']
  if (typeof pattern === 'string' && !compilePattern(pattern))
    errors.push(invalid(`${path}.pattern`, pattern, 'must be a valid regular expression'))
  if (schema['$ref'] !== undefined) errors.push(fieldForbidden(`${path}.$ref`, '$ref is not supported'))
  if (schema['uniqueItems'] === true)
    errors.push(fieldForbidden(`${path}.uniqueItems`, 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'))
  const properties = schema['properties']
  if (isObj(properties) && isObj(schema['additionalProperties']))
    errors.push(fieldForbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'))
  for (const [name, child] of Object.entries(obj(properties))) {
    if (!isObj(child)) errors.push(invalid(`${path}.properties[${name}]`, child, 'must be a schema'))
    else if (!(root && name === 'metadata')) checkSchema(child, `${path}.properties[${name}]`, errors, depth + 1)
  }
  if (type === 'array') {
    if (!isObj(schema['items'])) errors.push(required(`${path}.items`, 'must be specified'))
    const listType = str(schema['x-kubernetes-list-type'])
    if (listType === 'map' && list(schema['x-kubernetes-list-map-keys']).length === 0)
      errors.push(required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map'))
  }
  if (isObj(schema['items'])) checkSchema(schema['items'], `${path}.items`, errors, depth + 1)
  if (isObj(schema['additionalProperties'])) checkSchema(schema['additionalProperties'], `${path}.additionalProperties`, errors, depth + 1)
}
