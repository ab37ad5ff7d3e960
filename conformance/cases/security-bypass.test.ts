/**
 * Ways around a DENY policy: other spellings of what it denies, as bytes that no client would send, against every `pathNormalization`
 * of the mesh. What Istio's documents promise to bring to one form is denied; what they leave as it is stands in the table too, so that
 * neither changes unseen, and is denied by policies that ask for every spelling.
 */
import { afterAll, beforeAll, describe, test } from 'vitest'
import { PATH_SPELLINGS } from '../harness/bypass-strings.ts'
import { type CallSpec, documents, type Echo, echoService } from '../harness/echo.ts'
import { DRIVER, deployEcho } from '../harness/echo-mesh.ts'
import { describeWithMesh, whySkipped } from '../harness/mesh.ts'
import { addToMesh } from '../harness/mesh-config.ts'
import { networking } from '../harness/objects.ts'
import { expectVerdicts, type Mark, type MarkedCall, type Verdict } from '../harness/verdicts.ts'

const APP = 'feat/web'
const HOST = 'web.feat.svc.cluster.local'
const DENIED_HOST = 'admin.example.com'
const GATEWAY = 'istio-ingressgateway.istio-system'

const RULES = [
  { to: [{ operation: { paths: ['/admin', '/admin/*', '/shop.Admin/*'] } }] },
  { to: [{ operation: { hosts: [DENIED_HOST] } }] },
  { to: [{ operation: { methods: ['DELETE'] } }] },
  { when: [{ key: 'request.headers[x-role]', values: ['admin', 'root*'] }] },
]
const deny = (namespace: string, labels: Readonly<Record<string, string>>) =>
  documents({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'deny', namespace },
    spec: { selector: { matchLabels: labels }, action: 'DENY', rules: RULES },
  })

/** Every proxy gets the change, and the first look comes before all of them have got anything. */
const PATIENCE = { withinMs: 60_000 }

const MODES = ['NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES'] as const

/** How a policy reads: as Istio's do, or with the annotation that asks for more. */
const READINGS = ['as written', 'every spelling'] as const
type Reading = (typeof READINGS)[number]

/** A verdict under both readings, or under each. */
type Expected = Verdict | Readonly<Record<Reading, Verdict>>
const ONE_WAY_AROUND: Expected = { 'as written': 'served', 'every spelling': '403' }

/** What becomes of a spelling of the table. */
const VERDICTS: Readonly<Record<string, Expected>> = { d: '403', s: ONE_WAY_AROUND, p: 'served', 4: '400' }

/** Requests as they are written, each with its verdict under any mode. */
const REQUESTS: readonly (readonly [name: string, expected: Expected, lines: readonly string[]])[] = [
  ['as usual', 'served', ['GET /public HTTP/1.1', `host: ${HOST}`]],
  ['the host', '403', ['GET / HTTP/1.1', `host: ${DENIED_HOST}`]],
  ['the host in capitals', '403', ['GET / HTTP/1.1', 'host: ADMIN.Example.COM']],
  ['the host with a port', '403', ['GET / HTTP/1.1', `host: ${DENIED_HOST}:80`]],
  ['the host with another port', '403', ['GET / HTTP/1.1', `host: ${DENIED_HOST}:31337`]],
  ['the host with no port after the colon', '403', ['GET / HTTP/1.1', `host: ${DENIED_HOST}:`]],
  ['the host with a closing dot', '403', ['GET / HTTP/1.1', `host: ${DENIED_HOST}.`]],
  ['the host with a closing dot and a port', '403', ['GET / HTTP/1.1', `host: ${DENIED_HOST}.:80`]],
  ['the host with blanks around', '403', ['GET / HTTP/1.1', `host:   ${DENIED_HOST}   `]],
  ['the host behind a name', '403', ['GET / HTTP/1.1', `host: ann@${DENIED_HOST}`]],
  ['hosts in one header', '400', ['GET / HTTP/1.1', `host: ${HOST}, ${DENIED_HOST}:80`]],
  ['another host that ends so', 'served', ['GET / HTTP/1.1', `host: not${DENIED_HOST}`]],
  ['two hosts, the denied one first', '403', ['GET / HTTP/1.1', `host: ${DENIED_HOST}`, `host: ${HOST}`]],
  ['two hosts, the denied one last', '403', ['GET / HTTP/1.1', `host: ${HOST}`, `host: ${DENIED_HOST}`]],
  ['no host', '400', ['GET / HTTP/1.1']],
  ['the host in the target', '403', [`GET http://${DENIED_HOST}/ HTTP/1.1`, `host: ${HOST}`]],
  ['the host in the target, with a port', '403', [`GET http://${DENIED_HOST}:80/ HTTP/1.1`, `host: ${HOST}`]],
  ['the path in a whole target', '403', [`GET http://${HOST}/admin HTTP/1.1`, `host: ${HOST}`]],
  ['the path in a whole target, other header', '403', [`GET http://${HOST}/admin HTTP/1.1`, 'host: elsewhere.example']],
  ['HTTP/1.0', '426', ['GET /admin HTTP/1.0', `host: ${HOST}`]],
  ['HTTP/1.0 without a host', '426', ['GET /admin HTTP/1.0']],
  ['HTTP/0.9', '426', ['GET /admin']],
  ['the method', '403', ['DELETE /public HTTP/1.1', `host: ${HOST}`]],
  ['the method in small letters', '400', ['delete /public HTTP/1.1', `host: ${HOST}`]],
  ['the header', '403', ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: admin']],
  ['the header in capitals', '403', ['GET / HTTP/1.1', `host: ${HOST}`, 'X-ROLE: admin']],
  ['the header with blanks around', '403', ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: \t admin  ']],
  ['the header by its beginning', '403', ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: root-of-all']],
  ['the header with a blank in its name', '400', ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role : admin']],
  ['the header on two lines', '403', ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role:', ' admin']],
  ['the header twice', '403', ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: reader', 'x-role: admin']],
  ['the header twice, by its beginning', '403', ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: root', 'x-role: reader']],
  // To some applications the same header.
  ['the header with an underscore', ONE_WAY_AROUND, ['GET / HTTP/1.1', `host: ${HOST}`, 'x_role: admin']],
  ['the header with an underscore, in capitals', ONE_WAY_AROUND, ['GET / HTTP/1.1', `host: ${HOST}`, 'X_ROLE: admin']],
  ['the header in both spellings', ONE_WAY_AROUND, ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: reader', 'x_role: admin']],
  ['another header', 'served', ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: reader', 'x_roles: admin']],
  // Several values, and what is read alike.
  ['the header among values', ONE_WAY_AROUND, ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: reader,admin']],
  ['the header among values, first', ONE_WAY_AROUND, ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: admin, reader']],
  ['the header among values, by its beginning', ONE_WAY_AROUND, ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: reader, rooted']],
  ['the header on the second line, among values', ONE_WAY_AROUND, ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: a', 'x-role: b, admin']],
  ['the header behind what is no text', ONE_WAY_AROUND, ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: \u00ff, admin']],
  ['the header in quotes', ONE_WAY_AROUND, ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: "admin"']],
  ['the header with a parameter', ONE_WAY_AROUND, ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: admin;q=1']],
  ['the value in capitals', ONE_WAY_AROUND, ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: ADMIN']],
  ['another value that begins so', 'served', ['GET / HTTP/1.1', `host: ${HOST}`, 'x-role: administrator']],
  // Headers that frameworks let name another path or method.
  ['another path in a header', ONE_WAY_AROUND, ['GET /public HTTP/1.1', `host: ${HOST}`, 'X-Original-URL: /admin']],
  ['another path in another header', ONE_WAY_AROUND, ['GET /public HTTP/1.1', `host: ${HOST}`, 'X-Rewrite-URL: /admin']],
  ['another method in a header', ONE_WAY_AROUND, ['POST /public HTTP/1.1', `host: ${HOST}`, 'X-HTTP-Method-Override: DELETE']],
  ['a harmless method in a header', 'served', ['POST /public HTTP/1.1', `host: ${HOST}`, 'X-HTTP-Method-Override: PATCH']],
  ['a second request hidden in a body', '400', ['POST / HTTP/1.1', `host: ${HOST}`, 'content-length: 4', 'transfer-encoding: chunked']],
]

/** Requests of HTTP/2, where the host is `:authority`. */
const STREAMS: readonly (readonly [name: string, expected: Expected, spec: Partial<CallSpec>, path?: string])[] = [
  ['as usual', 'served', { authority: HOST }],
  ['the authority', '403', { authority: DENIED_HOST }],
  ['the authority with a port', '403', { authority: `${DENIED_HOST}:80` }],
  ['the authority in capitals', '403', { authority: 'ADMIN.EXAMPLE.COM' }],
  ['the authority, and another host', '403', { authority: DENIED_HOST, headers: { host: HOST } }],
  ['the path, not in its usual form', '403', { authority: HOST }, '/public/../admin'],
  ['the path, encoded', '403', { authority: HOST }, '/%61dmin'],
  ['the path in capitals', ONE_WAY_AROUND, { authority: HOST }, '/ADMIN'],
  ['the path, encoded twice', ONE_WAY_AROUND, { authority: HOST }, '/%2561dmin'],
  ['the path with a parameter', ONE_WAY_AROUND, { authority: HOST }, '/admin;x'],
  ['the path with a fragment', '400', { authority: HOST }, '/admin#x'],
  ['the path in a fragment', '400', { authority: HOST }, '/public#/../admin'],
  ['another path, beyond ASCII', 'served', { authority: HOST }, '/admin\u00ff'],
  // An application that takes no such method says so itself.
  ['the method in small letters', { 'as written': '400', 'every spelling': '403' }, { authority: HOST, method: 'delete' }],
  ['the header with an underscore', ONE_WAY_AROUND, { authority: HOST, headers: { x_role: 'admin' } }],
  ['the header among values', ONE_WAY_AROUND, { authority: HOST, headers: { 'x-role': 'reader, Admin' } }],
]

const GRPC = { authority: HOST, method: 'POST', headers: { 'content-type': 'application/grpc', te: 'trailers' } }
/** Calls of a method of gRPC, which are paths. */
const METHODS: readonly (readonly [name: string, expected: Expected, path: string])[] = [
  ['another service', 'served', '/shop.Public/Delete'],
  ['the service', '403', '/shop.Admin/Delete'],
  ['the service in small letters', ONE_WAY_AROUND, '/shop.admin/Delete'],
  ['the service with an escaped dot', '403', '/shop%2eAdmin/Delete'],
  ['the service with a dot that is escaped twice', ONE_WAY_AROUND, '/shop%252eAdmin/Delete'],
  ['the service behind two slashes', '403', '//shop.Admin/Delete'],
  ['the service with a parameter', ONE_WAY_AROUND, '/shop.Admin;x/Delete'],
  ['the service with an escaped slash', '403', '/shop.Admin%2fDelete'],
]

const under = (expected: Expected, reading: Reading): Verdict => (typeof expected === 'string' ? expected : expected[reading])

describeWithMesh('ways around a policy', (mesh) => {
  let echo: Echo

  beforeAll(async () => {
    if (whySkipped()) return
    await addToMesh(mesh(), { pathNormalization: { normalization: 'NONE' } })
    echo = await deployEcho(
      mesh(),
      [{ name: 'web', namespace: 'feat', listen: ['8080=http'] }],
      [
        deny('feat', { app: 'web' }),
        deny('istio-system', { istio: 'ingressgateway' }),
        echoService({ name: 'web', namespace: 'feat' }),
        networking(
          'VirtualService',
          { name: 'web', namespace: 'feat' },
          { hosts: ['*'], gateways: ['front'], http: [{ route: [{ destination: { host: HOST } }] }] },
        ),
      ].join(''),
    )
  })
  afterAll(() => echo?.close())

  describe.each(READINGS)('that means its values %s', (reading) => {
    beforeAll(async () => {
      if (whySkipped()) return
      for (const namespace of ['feat', 'istio-system']) {
        const annotation = `lateen.io/every-spelling=${reading === 'every spelling'}`
        await mesh().kubectl('annotate', 'authorizationpolicy', 'deny', '-n', namespace, '--overwrite', annotation)
      }
    })

    describe.each(MODES.map((mode, at) => ({ mode, at })))('paths under $mode', ({ mode, at }) => {
      const spellings = PATH_SPELLINGS.map(([path, verdicts]) => {
        const expected = VERDICTS[verdicts[at] ?? '']
        if (!expected) throw new RangeError(`${path}: ${verdicts} has no verdict for ${mode}`)
        return { path, expected: under(expected, reading) }
      })

      test('every spelling of a denied path has the verdict that is documented', async () => {
        await addToMesh(mesh(), { pathNormalization: { normalization: mode } })
        for (const server of [HOST, GATEWAY]) {
          const calls = spellings.map(({ path, expected }) =>
            raw(`${path} at ${server}`, expected, server, [`GET ${path} HTTP/1.1`, `host: ${HOST}`]),
          )
          await expectVerdicts(echo, APP, calls, PATIENCE)
        }
      })

      test('over HTTP/2 it has the same', async () => {
        // Without those that are no path in HTTP/1.1: HTTP/2 has other ways to refuse them.
        const calls = spellings
          .filter(({ path }) => /^\/[!-~]*$/.test(path) && !path.includes('#'))
          .map(({ path, expected }) => stream(path, expected, HOST, { authority: HOST }, path))
        await expectVerdicts(echo, APP, calls)
      })
    })

    describe.each([HOST, GATEWAY])('requests at %s', (server) => {
      test('no other spelling of a denied host, method or header gets past, beyond what is documented', async () => {
        await expectVerdicts(
          echo,
          APP,
          REQUESTS.map(([name, expected, lines]) => raw(name, under(expected, reading), server, lines)),
        )
      })

      test('over HTTP/2 and gRPC neither', async () => {
        const calls = [
          ...STREAMS.map(([name, expected, spec, path]) => stream(name, under(expected, reading), server, spec, path)),
          ...METHODS.map(([name, expected, path]) => stream(name, under(expected, reading), server, GRPC, path)),
        ]
        await expectVerdicts(echo, APP, calls)
      })
    })
  })
})

/** A request of HTTP/2. */
function stream(name: string, expected: Verdict, server: string, spec: Partial<CallSpec>, path = '/'): MarkedCall {
  const made = ({ headers }: Mark): CallSpec => ({
    version: 'h2',
    url: `http://${server}`,
    path,
    ...spec,
    headers: { ...spec.headers, ...headers },
  })
  return { name, from: DRIVER, expected, spec: made }
}

/** A request as bytes, in plain text. */
function raw(name: string, expected: Verdict, server: string, [first = '', ...headers]: readonly string[]): MarkedCall {
  const spec = (mark: Mark): CallSpec => {
    const marked = Object.entries(mark.headers).map(([header, value]) => `${header}: ${value}`)
    const lines = [first, ...headers, ...marked, 'connection: close', '', '']
    // The caller ends what it writes with a line feed.
    return { version: 'tcp', url: `tcp://${server}:80`, body: lines.join('\r\n').slice(0, -1) }
  }
  return { name, from: DRIVER, expected, spec }
}
