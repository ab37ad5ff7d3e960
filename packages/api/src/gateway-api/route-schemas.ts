/** Schemas of the Gateway API's routes. */
import type { JsonSchema } from '../schema/json-schema.ts'
import {
  anyKind,
  backendObject,
  duration,
  flag,
  headerName,
  hostname,
  integer,
  keyed,
  list,
  name,
  object,
  oneOf,
  parentRefs,
  port,
  preciseHostname,
  sectionName,
  text,
  weight,
} from './shapes.ts'

const headerValue = object({ name: headerName, value: text(4096) }, 'name', 'value')
const headerChanges = object({
  set: keyed(headerValue, 16, 'name'),
  add: keyed(headerValue, 16, 'name'),
  remove: list({ type: 'string' }, 16, { 'x-kubernetes-list-type': 'set' }),
})
const match = (types: readonly string[], maxLength: number) =>
  object({ type: oneOf(types, 'Exact'), name: headerName, value: text(maxLength) }, 'name', 'value')
const MATCHES = ['Exact', 'RegularExpression']

const fraction: JsonSchema = {
  ...object(
    {
      numerator: { type: 'integer', format: 'int32', minimum: 0 },
      denominator: { type: 'integer', format: 'int32', minimum: 1, default: 100 },
    },
    'numerator',
  ),
}
const requestMirror = object({ backendRef: object(backendObject, 'name'), percent: integer(0, 100), fraction }, 'backendRef')
const pathChange = object(
  {
    type: oneOf(['ReplaceFullPath', 'ReplacePrefixMatch']),
    replaceFullPath: { type: 'string', maxLength: 1024 },
    replacePrefixMatch: { type: 'string', maxLength: 1024 },
  },
  'type',
)
const requestRedirect = object({
  scheme: oneOf(['http', 'https']),
  hostname: preciseHostname,
  path: pathChange,
  port,
  statusCode: { type: 'integer', enum: [301, 302, 303, 307, 308], default: 302 },
})
const names = list({ type: 'string', minLength: 1, maxLength: 256 }, 64, { 'x-kubernetes-list-type': 'set' })
const cors = object({
  allowOrigins: list({ type: 'string', minLength: 1, maxLength: 253 }, 64, { 'x-kubernetes-list-type': 'set' }),
  allowMethods: list({ type: 'string' }, 9, { 'x-kubernetes-list-type': 'set' }),
  allowHeaders: names,
  exposeHeaders: names,
  maxAge: { type: 'integer', format: 'int32', minimum: 1, default: 5 },
  allowCredentials: flag,
})
const externalAuth = object(
  {
    protocol: oneOf(['HTTP', 'GRPC']),
    backendRef: object(backendObject, 'name'),
    grpc: object({ allowedHeaders: names }),
    http: object({ path: { type: 'string' }, allowedHeaders: names, allowedResponseHeaders: names }),
    forwardBody: object({ maxSize: { type: 'integer', minimum: 0 } }),
  },
  'protocol',
  'backendRef',
)
const extensionRef = object({ ...anyKind, name }, 'group', 'kind', 'name')

/** A filter says its type, and has the field of that type and no other. */
function filterOf(fields: Readonly<Record<string, JsonSchema>>): JsonSchema {
  const typeOf = (field: string) =>
    field === 'urlRewrite' ? 'URLRewrite' : field === 'cors' ? 'CORS' : `${field[0]?.toUpperCase()}${field.slice(1)}`
  return {
    ...object({ type: oneOf(Object.keys(fields).map(typeOf)), ...fields }, 'type'),
    'x-kubernetes-validations': Object.keys(fields).map((field) => ({
      rule: `has(self.${field}) == (self.type == '${typeOf(field)}')`,
      message: `filter.${field} must be given for type ${typeOf(field)}, and for no other`,
    })),
  }
}

const httpFilters = list(
  filterOf({
    requestHeaderModifier: headerChanges,
    responseHeaderModifier: headerChanges,
    requestMirror,
    requestRedirect,
    urlRewrite: object({ hostname: preciseHostname, path: pathChange }),
    cors,
    externalAuth,
    extensionRef,
  }),
  16,
)
const grpcFilters = list(
  filterOf({ requestHeaderModifier: headerChanges, responseHeaderModifier: headerChanges, requestMirror, extensionRef }),
  16,
)

const sessionPersistence = object({
  sessionName: { type: 'string', maxLength: 128 },
  absoluteTimeout: duration,
  idleTimeout: duration,
  type: oneOf(['Cookie', 'Header'], 'Cookie'),
  cookieConfig: object({ lifetimeType: oneOf(['Permanent', 'Session'], 'Session') }),
})

const anyPath = { path: { type: 'PathPrefix', value: '/' } }
const httpMatch = object({
  path: {
    ...object({
      type: oneOf(['Exact', 'PathPrefix', 'RegularExpression'], 'PathPrefix'),
      value: { type: 'string', maxLength: 1024, default: '/' },
    }),
    default: anyPath.path,
  },
  headers: keyed(match(MATCHES, 4096), 16, 'name'),
  queryParams: keyed(match(MATCHES, 1024), 16, 'name'),
  method: oneOf(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH']),
})

const grpcMatch = object({
  method: object({
    type: oneOf(MATCHES, 'Exact'),
    service: { type: 'string', maxLength: 1024 },
    method: { type: 'string', maxLength: 1024 },
  }),
  headers: keyed(match(MATCHES, 4096), 16, 'name'),
})

const hostnames = list(hostname, 16)
const ruleName = sectionName
const backends = (filters?: JsonSchema) => list(object({ ...backendObject, weight, ...(filters && { filters }) }, 'name'), 16)

const route = (fields: Readonly<Record<string, JsonSchema>>): JsonSchema => object({ parentRefs, ...fields })

export const httpRouteSchema = route({
  hostnames,
  rules: {
    ...list(
      object({
        name: ruleName,
        matches: list(httpMatch, 64, { default: [anyPath] }),
        filters: httpFilters,
        backendRefs: backends(httpFilters),
        timeouts: object({ request: duration, backendRequest: duration }),
        retry: object({ codes: list(integer(400, 599), 32), attempts: { type: 'integer' }, backoff: duration }),
        sessionPersistence,
      }),
      16,
    ),
    minItems: 1,
    default: [{ matches: [anyPath] }],
  },
})

export const grpcRouteSchema = route({
  hostnames,
  rules: list(
    object({ name: ruleName, matches: list(grpcMatch, 64), filters: grpcFilters, backendRefs: backends(grpcFilters), sessionPersistence }),
    16,
  ),
})

const bytesRules: JsonSchema = { ...list(object({ name: ruleName, backendRefs: backends() }), 16), minItems: 1 }

export const tlsRouteSchema: JsonSchema = { ...route({ hostnames, rules: bytesRules }), required: ['rules'] }
export const bytesRouteSchema: JsonSchema = { ...route({ rules: bytesRules }), required: ['rules'] }
