/** The OpenAPI documents: one for each group and version (v3), and one of all (v2). Loaded when first asked for. */
import { KUBERNETES_VERSION } from '@lateen/api'
import packed from '../../gen/descriptions.ts'
import { GROUPS, KIND_ROWS } from '../kinds/table.ts'
import { groupVersion, type Kind } from '../registry/kind.ts'
import type { Registry } from '../registry/registry.ts'
import { isObj, type Obj } from '../values.ts'
import { type OpenApiVersion, SchemaWriter } from './schemas.ts'

const definitionOf = new Map(KIND_ROWS.map((row) => [`${row.group}/${row.version}/${row.plural}`, row.definition]))

const builtinKinds = new Map<string, Obj[]>(
  KIND_ROWS.map((row) => [row.definition, [{ group: row.group, version: row.version, kind: row.kind }]]),
)
// Deletions of every kind take these.
builtinKinds.set(
  'meta.v1.DeleteOptions',
  Object.values(GROUPS).map((group) => ({ group, version: 'v1', kind: 'DeleteOptions' })),
)

function writer(version: OpenApiVersion): SchemaWriter {
  const descriptions: unknown = JSON.parse(packed)
  if (!isObj(descriptions)) throw new Error('gen/descriptions.ts is damaged; make it anew')
  return new SchemaWriter(version, descriptions as ConstructorParameters<typeof SchemaWriter>[1], builtinKinds)
}

const schemaOf = (to: SchemaWriter, kind: Kind): Obj =>
  kind.custom ? to.custom(kind) : to.reference(definitionOf.get(`${kind.group}/${kind.version}/${kind.plural}`) ?? '')

const parameter = (name: string, type: string, version: OpenApiVersion, place = 'query'): Obj => ({
  name,
  in: place,
  ...(place === 'path' ? { required: true } : {}),
  ...(version === 'v3' ? { schema: { type, uniqueItems: true } } : { type, uniqueItems: true }),
})

function operation(kind: Kind, action: string, version: OpenApiVersion, schema: Obj, queries: readonly string[]): Obj {
  const ok = version === 'v3' ? { description: 'OK', content: { 'application/json': { schema } } } : { description: 'OK', schema }
  return {
    operationId: `${action}${kind.kind}${kind.group.replace(/\W/g, '')}${kind.version}`,
    parameters: queries.map((q) => parameter(q, q === 'force' ? 'boolean' : 'string', version)),
    responses: { 200: ok },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group: kind.group, version: kind.version, kind: kind.kind },
  }
}

function addPaths(paths: Obj, kind: Kind, version: OpenApiVersion, schema: Obj): void {
  const base = `${kind.group ? `/apis/${kind.group}` : '/api'}/${kind.version}`
  const root = kind.namespaced ? `${base}/namespaces/{namespace}/${kind.plural}` : `${base}/${kind.plural}`
  const write = ['dryRun', 'fieldManager', 'fieldValidation']
  const place = kind.namespaced ? [parameter('namespace', 'string', version, 'path')] : []
  paths[root] = {
    ...(kind.virtual
      ? {}
      : {
          get: operation(kind, 'list', version, schema, [
            'labelSelector',
            'fieldSelector',
            'limit',
            'continue',
            'resourceVersion',
            'watch',
          ]),
        }),
    post: operation(kind, 'post', version, schema, write),
    parameters: place,
  }
  if (kind.virtual) return
  const item: Obj = {
    get: operation(kind, 'get', version, schema, []),
    put: operation(kind, 'put', version, schema, write),
    patch: operation(kind, 'patch', version, schema, [...write, 'force']),
    delete: operation(kind, 'delete', version, schema, ['dryRun', 'gracePeriodSeconds', 'propagationPolicy']),
    parameters: [parameter('name', 'string', version, 'path'), ...place],
  }
  paths[`${root}/{name}`] = item
  if (kind.hasStatus) paths[`${root}/{name}/status`] = item
}

/** One group's version as OpenAPI v3. */
export function documentV3(kinds: readonly Kind[]): Obj {
  const to = writer('v3')
  const paths: Obj = {}
  for (const kind of kinds) addPaths(paths, kind, 'v3', schemaOf(to, kind))
  if (kinds.some((k) => !k.virtual)) to.reference('meta.v1.DeleteOptions')
  return { openapi: '3.0.0', info: { title: 'Kubernetes', version: KUBERNETES_VERSION }, paths, components: { schemas: to.schemas } }
}

/** Everything as OpenAPI v2. */
export function documentV2(registry: Registry): Obj {
  const to = writer('v2')
  const paths: Obj = {}
  for (const kind of registry.all()) addPaths(paths, kind, 'v2', schemaOf(to, kind))
  to.reference('meta.v1.DeleteOptions')
  return { swagger: '2.0', info: { title: 'Kubernetes', version: KUBERNETES_VERSION }, paths, definitions: to.schemas }
}

/** Groups and versions with their kinds, keyed by the path below `/openapi/v3/`. */
export function versions(registry: Registry): Map<string, Kind[]> {
  const result = new Map<string, Kind[]>()
  for (const kind of registry.all()) {
    const key = kind.group ? `apis/${groupVersion(kind)}` : `api/${kind.version}`
    const kinds = result.get(key)
    if (kinds) kinds.push(kind)
    else result.set(key, [kind])
  }
  return result
}
