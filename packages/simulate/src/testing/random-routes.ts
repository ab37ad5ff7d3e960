/** Random route configurations and requests for them, as JSON, made so that requests often meet conditions. */
import fc from 'fast-check'

type Json = Readonly<Record<string, unknown>>

export const CLUSTERS = ['c0', 'c1', 'c2', 'c3'] as const

const segment = fc.constantFrom('a', 'b', 'api', 'v1', 'A', 'x.y', 'long-one')
const path = fc.array(segment, { maxLength: 3 }).map((segments) => `/${segments.join('/')}`)
const value = fc.constantFrom('1', '2', 'jason', 'Jason', 'one,two', '42', '7', 'a=b')
const headerName = fc.constantFrom('x-user', 'x-number', 'x-end')
const queryName = fc.constantFrom('q', 'debug')
const regex = fc.constantFrom('[a-z]+', '.*', 'ja.on', '\\d+', '/(a|b)/.*', '/api(/v\\d)?', '/a.*', '(?i)JASON', 'one|one,two')

const stringMatch = fc.oneof(
  fc.record({ exact: value, ignoreCase: fc.boolean() }),
  fc.record({ prefix: fc.constantFrom('j', 'J', '1', 'one'), ignoreCase: fc.boolean() }),
  fc.record({ suffix: fc.constantFrom('n', 'two', '2'), ignoreCase: fc.boolean() }),
  fc.record({ contains: fc.constantFrom('a', ',', 'so'), ignoreCase: fc.boolean() }),
  fc.record({ safeRegex: fc.record({ regex }) }),
)

const headerMatch = fc.oneof(
  fc.record({ name: headerName, stringMatch, invertMatch: fc.boolean(), treatMissingHeaderAsEmpty: fc.boolean() }),
  fc.record({ name: headerName, presentMatch: fc.boolean(), invertMatch: fc.boolean(), treatMissingHeaderAsEmpty: fc.boolean() }),
  fc.record({
    name: headerName,
    rangeMatch: fc.constantFrom({ start: '1', end: '7' }, { start: '-5', end: '43' }),
    invertMatch: fc.boolean(),
  }),
  fc.record({
    name: fc.constantFrom(':method'),
    stringMatch: fc.constantFrom({ exact: 'GET' }, { exact: 'POST' }),
    invertMatch: fc.boolean(),
  }),
  fc.record({ name: fc.constant(':authority'), stringMatch: fc.constantFrom({ prefix: 'h' }, { suffix: 'test' }, { contains: ':80' }) }),
)

const queryMatch = fc.oneof(fc.record({ name: queryName, stringMatch }), fc.record({ name: queryName, presentMatch: fc.boolean() }))

const pathMatch: fc.Arbitrary<Json> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ prefix: path, caseSensitive: fc.boolean() }) },
  fc.record({ path, caseSensitive: fc.boolean() }),
  fc.record({ safeRegex: fc.record({ regex: fc.constantFrom('/a.*', '/(a|b)/.*', '/api(/v\\d)?', '.*', '/[^/]+') }) }),
  fc.record({ pathSeparatedPrefix: path.filter((text) => text !== '/'), caseSensitive: fc.boolean() }),
)

const match = fc
  .tuple(pathMatch, fc.array(headerMatch, { maxLength: 2 }), fc.array(queryMatch, { maxLength: 1 }))
  .map(([base, headers, queryParameters]): Json => ({ ...base, headers, queryParameters }))

const option = (prefix: string) =>
  fc.record({
    header: fc.record({
      key: fc.constantFrom(`${prefix}-a`, `${prefix}-b`),
      value: fc.constantFrom('1', '2', '%REQ(x-user)%', 'p%%q', '%REQ(x-none?x-number)%', '%ROUTE_NAME%'),
    }),
    appendAction: fc.constantFrom('APPEND_IF_EXISTS_OR_ADD', 'ADD_IF_ABSENT', 'OVERWRITE_IF_EXISTS_OR_ADD', 'OVERWRITE_IF_EXISTS'),
  })

const headerChanges = fc.record({
  requestHeadersToAdd: fc.array(option('x-t'), { maxLength: 2 }),
  requestHeadersToRemove: fc.array(fc.constantFrom('x-t-a', 'x-user'), { maxLength: 1 }),
  responseHeadersToAdd: fc.array(option('x-r'), { maxLength: 1 }),
})

const substitution = fc.constantFrom(
  { pattern: { regex: '/(a|b)/(.*)' }, substitution: '/\\2/\\1' },
  { pattern: { regex: 'a' }, substitution: 'z' },
  { pattern: { regex: '^/api' }, substitution: '/v2' },
)

const weighted = fc
  .array(fc.tuple(fc.constantFrom(...CLUSTERS), fc.integer({ min: 0, max: 3 }), headerChanges, fc.boolean()), {
    minLength: 1,
    maxLength: 3,
  })
  .filter((list) => list.some(([, weight]) => weight > 0))
  .map((list) => ({
    weightedClusters: {
      clusters: list.map(([name, weight, changes, rewrites]) => ({
        name,
        weight,
        ...changes,
        ...(rewrites && { hostRewriteLiteral: `of-${name}` }),
      })),
    },
  }))

const rewrite: fc.Arbitrary<Json> = fc.oneof(
  fc.constant({}),
  fc.record({ prefixRewrite: fc.constantFrom('/', '/new', '/new/') }),
  fc.record({ regexRewrite: substitution }),
)

const hostRewrite: fc.Arbitrary<Json> = fc.oneof(
  fc.constant({}),
  fc.record({ hostRewriteLiteral: fc.constant('other.test') }),
  fc.record({ hostRewriteHeader: fc.constant('x-user') }),
  fc.record({ hostRewritePathRegex: fc.constant({ pattern: { regex: '^/([a-z]+).*' }, substitution: '\\1.test' }) }),
)

const forward = fc
  .tuple(
    fc.oneof(
      fc.constantFrom(...CLUSTERS).map((cluster) => ({ cluster })),
      weighted,
      fc.constant({ clusterHeader: 'x-cluster' }),
    ),
    rewrite,
    hostRewrite,
  )
  .map(([where, ...more]): Json => ({ route: Object.assign({}, where, ...more) }))

const redirect = fc
  .tuple(
    fc.oneof(fc.constant({}), fc.constant({ httpsRedirect: true }), fc.constant({ schemeRedirect: 'ftp' })),
    fc.oneof(fc.constant({}), fc.constant({ hostRedirect: 'new.test' })),
    fc.oneof(fc.constant({}), fc.constant({ portRedirect: 8443 })),
    fc.oneof(
      fc.constant({}),
      fc.record({ pathRedirect: fc.constantFrom('/there', '/there?x=1') }),
      fc.record({ prefixRewrite: fc.constantFrom('/', '/pre') }),
      fc.record({ regexRewrite: substitution }),
    ),
    fc.record({
      stripQuery: fc.boolean(),
      responseCode: fc.constantFrom('MOVED_PERMANENTLY', 'FOUND', 'SEE_OTHER', 'TEMPORARY_REDIRECT', 'PERMANENT_REDIRECT'),
    }),
  )
  .map((parts): Json => ({ redirect: Object.assign({}, ...parts) }))

const direct = fc.record({
  directResponse: fc.record({
    status: fc.constantFrom(200, 403, 418, 503),
    body: fc.record({ inlineString: fc.constantFrom('teapot', 'no') }),
  }),
})

const action: fc.Arbitrary<Json> = fc.oneof({ weight: 4, arbitrary: forward }, { weight: 2, arbitrary: redirect }, direct)

const FAULT = 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault'
const RBAC = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute'

const fault = fc.record({
  abort: fc.record({
    httpStatus: fc.constantFrom(418, 500),
    percentage: fc.constantFrom({ numerator: 100 }, { numerator: 0 }, { numerator: 500_000, denominator: 'MILLION' }),
  }),
  headers: fc.array(headerMatch, { maxLength: 1 }),
})

const permission: fc.Arbitrary<Json> = fc.letrec<{ node: Json; leaf: Json }>((tie) => ({
  leaf: fc.oneof(
    fc.constant({ any: true }),
    fc.record({ header: headerMatch }),
    fc.record({
      urlPath: fc.record({ path: fc.oneof(fc.record({ prefix: path }), fc.record({ exact: path }), fc.record({ suffix: segment })) }),
    }),
    fc.record({ requestedServerName: fc.record({ exact: fc.constantFrom('', 'x') }) }),
  ),
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc.record({ notRule: tie('node') }),
    fc.record({ andRules: fc.record({ rules: fc.array(tie('node'), { minLength: 1, maxLength: 2 }) }) }),
    fc.record({ orRules: fc.record({ rules: fc.array(tie('node'), { minLength: 1, maxLength: 2 }) }) }),
  ),
})).node

const principal: fc.Arbitrary<Json> = fc.letrec<{ node: Json; leaf: Json }>((tie) => ({
  leaf: fc.oneof(
    fc.constant({ any: true }),
    fc.record({ header: headerMatch }),
    fc.record({
      directRemoteIp: fc.constantFrom({ addressPrefix: '127.0.0.0', prefixLen: 8 }, { addressPrefix: '10.0.0.0', prefixLen: 8 }),
    }),
    fc.constant({ authenticated: {} }),
  ),
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc.record({ notId: tie('node') }),
    fc.record({ andIds: fc.record({ ids: fc.array(tie('node'), { minLength: 1, maxLength: 2 }) }) }),
    fc.record({ orIds: fc.record({ ids: fc.array(tie('node'), { minLength: 1, maxLength: 2 }) }) }),
  ),
})).node

const rules = fc.record({
  action: fc.constantFrom('ALLOW', 'DENY', 'LOG'),
  policies: fc.dictionary(
    fc.constantFrom('one', 'two'),
    fc.record({
      permissions: fc.array(permission, { minLength: 1, maxLength: 2 }),
      principals: fc.array(principal, { minLength: 1, maxLength: 2 }),
    }),
    { maxKeys: 2 },
  ),
})

const perRoute = fc.record({ withFault: fc.integer({ max: 5, min: 0 }), fault, withRules: fc.integer({ max: 3, min: 0 }), rules }).map(
  (pick): Json => ({
    typedPerFilterConfig: {
      ...(pick.withFault === 0 && { 'envoy.filters.http.fault': { '@type': FAULT, ...pick.fault } }),
      ...(pick.withRules === 0 && { 'envoy.filters.http.rbac': { '@type': RBAC, rbac: { rules: pick.rules } } }),
    },
  }),
)

const share = fc.oneof(
  { weight: 9, arbitrary: fc.constant<Json>({}) },
  fc.constant<Json>({ runtimeFraction: { defaultValue: { numerator: 50, denominator: 'HUNDRED' } } }),
)

const route = fc
  .tuple(match, share, action, headerChanges, perRoute)
  .map(([conditions, fraction, does, changes, settings]) => ({ match: { ...conditions, ...fraction }, ...does, ...changes, ...settings }))

const virtualHost = fc
  .tuple(fc.array(route, { minLength: 1, maxLength: 6 }), headerChanges, fc.integer({ min: 0, max: 9 }))
  .map(([routes, changes, tls]) => ({ routes, ...changes, ...(tls === 0 && { requireTls: 'ALL' }) }))

const HOSTS = 40

/** Domains of the virtual hosts; the last ones overlap those before. */
const domainsOf = (index: number): string[] => {
  if (index === HOSTS - 1) return ['*']
  if (index === HOSTS - 2) return ['*.wide.test']
  if (index === HOSTS - 3) return ['*.very.wide.test', 'narrow.*']
  return [`h${index}.test`]
}

/** A route configuration of many virtual hosts, as protobuf JSON. */
export const routeConfiguration: fc.Arbitrary<Json> = fc
  .tuple(fc.array(virtualHost, { minLength: HOSTS, maxLength: HOSTS }), headerChanges, fc.boolean())
  .map(([hosts, changes, specificWins]) => ({
    name: 'routes',
    ignorePortInHostMatching: true,
    mostSpecificHeaderMutationsWins: specificWins,
    ...changes,
    virtualHosts: hosts.map((host, index) => ({
      ...host,
      name: `v${index}`,
      domains: domainsOf(index),
      routes: host.routes.map((one, number) => ({ name: `v${index}-r${number}`, ...one })),
    })),
  }))

export interface RandomRequest {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly headers: Readonly<Record<string, readonly string[]>>
}

const host = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: HOSTS - 4 }).map((index) => `h${index}.test`) },
  fc.constantFrom('a.wide.test', 'b.very.wide.test', 'narrow.com', 'wide.test', 'H1.TEST', 'h2.test:8080', 'h3.test:80', 'unknown'),
)

const requestPath = fc
  .tuple(
    path,
    fc.constantFrom('', '/', '/tail', '/../b', '/./v1', '//a', '/%61', '/%2e%2e/a', '/a%2Fb', ';p=1'),
    fc.constantFrom('', '', '?q=1', '?q=jason&q=2', '?debug', '?debug=42&q=', '?x=/a'),
  )
  .map(([base, tail, query]) => `${base === '/' && tail.startsWith('/') ? '' : base}${tail}${query}`)

export const request: fc.Arbitrary<RandomRequest> = fc.record({
  method: fc.constantFrom('GET', 'GET', 'POST', 'PUT'),
  host,
  path: requestPath,
  headers: fc.record(
    {
      'x-user': fc.array(value, { minLength: 1, maxLength: 2 }),
      'x-number': fc.array(fc.constantFrom('1', '7', '42', 'no', '-3'), { minLength: 1, maxLength: 1 }),
      'x-end': fc.array(value, { minLength: 1, maxLength: 1 }),
      'x-cluster': fc.array(fc.constantFrom(...CLUSTERS, 'none'), { minLength: 1, maxLength: 1 }),
      'x-t-a': fc.constant(['given']),
    },
    { requiredKeys: [] },
  ),
})
