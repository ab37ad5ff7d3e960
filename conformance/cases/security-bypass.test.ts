/**
 * Ways around a DENY policy: other spellings of what it denies, as bytes that no client would send, against every `pathNormalization`
 * of the mesh. What Istio's documents promise to bring to one form is denied; what they leave as it is stands in the table too, so that
 * neither changes unseen.
 */
import { afterAll, beforeAll, describe, test } from 'vitest'
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
  { to: [{ operation: { paths: ['/admin', '/admin/*'] } }] },
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

const MODES = ['NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES'] as const

/** A verdict by mode: `d` is denied, `s` served, `4` refused as malformed. */
const VERDICTS: Readonly<Record<string, Verdict>> = { d: '403', s: 'served', 4: '400' }

/** Paths, each with its verdict under NONE, BASE, MERGE_SLASHES and DECODE_AND_MERGE_SLASHES. */
const PATHS: readonly (readonly [path: string, verdicts: string])[] = [
  ['/public', 'ssss'],
  ['/admin', 'dddd'],
  ['/admin/', 'dddd'],
  ['/admin/users', 'dddd'],
  ['/admin?x=/public', 'dddd'],
  ['/admin/?', 'dddd'],
  // Dot segments, also encoded.
  ['/public/../admin', 'sddd'],
  ['/./admin', 'sddd'],
  ['/admin/.', 'dddd'],
  ['/admin/x/..', 'dddd'],
  ['/public/%2e%2e/admin', 'sddd'],
  ['/public/%2E%2e/admin', 'sddd'],
  ['/public/.%2e/admin', 'sddd'],
  ['/%2e/admin', 'sddd'],
  ['/../../admin', 'sddd'],
  ['/public/..;/admin', 'sddd'],
  // Percent-encoding of letters, which needs none; once, not twice.
  ['/%61dmin', 'sddd'],
  ['/%61%64%6d%69%6e', 'sddd'],
  ['/admi%6E/users', 'sddd'],
  ['/%2561dmin', 'ssss'],
  ['/%252e%252e/admin', 'ssss'],
  // Slashes: several, encoded, backwards.
  ['//admin', 'ssdd'],
  ['///admin//users', 'ssdd'],
  ['/admin//users', 'dddd'],
  ['/public/..//admin', 'ssdd'],
  ['/%2Fadmin', 'sssd'],
  ['/%2fadmin', 'sssd'],
  ['%2Fadmin', '4444'],
  ['/public%2F..%2Fadmin', 'sssd'],
  ['/admin%2Fusers', 'sssd'],
  ['/%5Cadmin', 'sssd'],
  ['/public%5c..%5cadmin', 'sssd'],
  ['\\admin', '4444'],
  ['/\\admin', 'ssdd'],
  ['/public\\..\\admin', 'sddd'],
  ['/admin\\users', 'sddd'],
  ['/%252Fadmin', 'ssss'],
  // What ends a path, or would for some servers.
  ['/admin#', '4444'],
  ['/public#/../admin', '4444'],
  ['/admin%23', 'ssss'],
  ['/admin%3Fx', 'ssss'],
  ['/admin%00', 's444'],
  ['/admin%20', 'ssss'],
  ['/admin;x=1', 'ssss'],
  ['/admin;/users', 'ssss'],
  // Case counts.
  ['/ADMIN', 'ssss'],
  ['/Admin/users', 'ssss'],
  ['/%41DMIN', 'ssss'],
]

/** Requests as they are written, each with its verdict under any mode. */
const REQUESTS: readonly (readonly [name: string, verdict: Verdict, lines: readonly string[]])[] = [
  ['as usual', 'served', ['GET /public HTTP/1.1', `host: ${HOST}`]],
  ['the host', '403', ['GET / HTTP/1.1', `host: ${DENIED_HOST}`]],
  ['the host in capitals', '403', ['GET / HTTP/1.1', 'host: ADMIN.Example.COM']],
  ['the host with a port', '403', ['GET / HTTP/1.1', `host: ${DENIED_HOST}:80`]],
  ['the host with another port', '403', ['GET / HTTP/1.1', `host: ${DENIED_HOST}:31337`]],
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
  // To some applications the same header; Istio leaves it alone.
  ['the header with an underscore', 'served', ['GET / HTTP/1.1', `host: ${HOST}`, 'x_role: admin']],
  ['a second request hidden in a body', '400', ['POST / HTTP/1.1', `host: ${HOST}`, 'content-length: 4', 'transfer-encoding: chunked']],
]

/** Requests of HTTP/2, where the host is `:authority`. */
const STREAMS: readonly (readonly [name: string, verdict: Verdict, spec: Partial<CallSpec>, path?: string])[] = [
  ['as usual', 'served', { authority: HOST }],
  ['the authority', '403', { authority: DENIED_HOST }],
  ['the authority with a port', '403', { authority: `${DENIED_HOST}:80` }],
  ['the authority in capitals', '403', { authority: 'ADMIN.EXAMPLE.COM' }],
  ['the authority, and another host', '403', { authority: DENIED_HOST, headers: { host: HOST } }],
  ['the path, not in its usual form', '403', { authority: HOST }, '/public/../admin'],
  ['the path, encoded', '403', { authority: HOST }, '/%61dmin'],
]

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

  describe.each(MODES.map((mode, at) => ({ mode, at })))('paths under $mode', ({ mode, at }) => {
    const calls = (server: string): MarkedCall[] =>
      PATHS.map(([path, verdicts]) => {
        const expected = VERDICTS[verdicts[at] ?? '']
        if (!expected) throw new RangeError(`${path}: ${verdicts} has no verdict for ${mode}`)
        return raw(`${path} at ${server}`, expected, server, [`GET ${path} HTTP/1.1`, `host: ${HOST}`])
      })

    test('every spelling of a denied path has the verdict that is documented', async () => {
      await addToMesh(mesh(), { pathNormalization: { normalization: mode } })
      await expectVerdicts(echo, APP, [...calls(HOST), ...calls(GATEWAY)])
    })
  })

  describe.each([HOST, GATEWAY])('requests at %s', (server) => {
    test('no other spelling of a denied host, method or header gets past, beyond what is documented', async () => {
      await expectVerdicts(
        echo,
        APP,
        REQUESTS.map(([name, expected, lines]) => raw(name, expected, server, lines)),
      )
    })

    test('over HTTP/2 neither', async () => {
      const calls = STREAMS.map(([name, expected, spec, path = '/']): MarkedCall => {
        const made = ({ headers }: Mark): CallSpec => ({
          version: 'h2',
          url: `http://${server}`,
          path,
          ...spec,
          headers: { ...spec.headers, ...headers },
        })
        return { name, from: DRIVER, expected, spec: made }
      })
      await expectVerdicts(echo, APP, calls)
    })
  })
})

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
