/** `proxy-config` as a whole on saved dumps: its other parts, `all`, and dumps that are damaged. */
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { inProcess } from '../../../testdata/in-process.ts'
import { BOOTSTRAP, clusters, endpoints, part, pc, routes, savedDumps, table, typed } from '../../../testdata/saved-dumps.ts'

const { saved, dump } = savedDumps()

describe('the other parts', () => {
  test('extensions are sorted by type, then name', async () => {
    const filter = (name: string, type: string) => ({
      ecds_filter: typed('envoy.config.core.v3.TypedExtensionConfig', { name, typed_config: typed(type, {}) }),
    })
    const file = dump(
      part('Ecds', {
        ecds_filters: [
          filter('b', 'envoy.extensions.filters.http.wasm.v3.Wasm'),
          filter('c', 'envoy.extensions.filters.http.rbac.v3.RBAC'),
          filter('a', 'envoy.extensions.filters.http.wasm.v3.Wasm'),
        ],
      }),
    )
    expect(await table('ecds', file)).toEqual([
      'ECDS NAME     TYPE',
      'c             envoy.extensions.filters.http.rbac.v3.RBAC',
      'a             envoy.extensions.filters.http.wasm.v3.Wasm',
      'b             envoy.extensions.filters.http.wasm.v3.Wasm',
    ])
  })

  test('versions are those of the node', async () => {
    const node = {
      metadata: { ISTIO_VERSION: '1.30.3', ISTIO_PROXY_SHA: 'proxy:abc' },
      user_agent_build_version: {
        version: { major_number: 1, minor_number: 40 },
        metadata: { 'revision.status': 'Clean', 'build.type': 'RELEASE', 'ssl.version': 'BoringSSL' },
      },
    }
    expect(await table('bootstrap', dump(part('Bootstrap', { bootstrap: { node } })), '-o', 'short')).toEqual([
      'Istio Version:       1.30.3',
      'Istio Proxy Version: abc',
      'Envoy Version:       1.40.0/Clean/RELEASE/BoringSSL',
    ])
  })

  test('secrets that are not there are said to be none', async () => {
    expect(await pc('secret', dump(part('Secrets', { static_secrets: [{ name: 'x' }] })))).toMatchObject({
      code: 0,
      stdout: 'No active or warming secrets found.\n',
    })
  })

  test('all of them stand below each other; what is missing costs the others nothing', async () => {
    const file = dump(BOOTSTRAP, clusters({ name: 'a', type: 'EDS' }), routes({ name: '80', virtual_hosts: [] }), endpoints())
    const { code, stdout, stderr } = await pc('all', file, '--verbose=false', '--with-headers')
    expect(stdout.split('\n')).toEqual([
      '==== Bootstrap ====',
      'Istio Version: 1.30.3',
      'Envoy Version: 0.0.0',
      '',
      '==== Clusters ====',
      'NAME          SERVICE FQDN     PORT     SUBSET     DIRECTION     TYPE     DESTINATION RULE',
      'cluster/a     cluster/a        -        -          -             EDS      ',
      '',
      '==== Routes ====',
      'NAME         VIRTUAL HOSTS',
      'route/80     0',
      '',
      '==== Endpoints ====',
      'NAME     STATUS     LOCALITY     CLUSTER',
      '',
    ])
    expect(code).toBe(1)
    expect(stderr.split('\n').map((line) => line.slice(0, 60))).toEqual([
      'Error: listener dump: config dump has no configuration type ',
      'Error: config dump has no configuration type type.googleapis',
      '',
    ])
  })

  test('all of them as data are the dump as it came, or with sorted keys', async () => {
    const file = dump(BOOTSTRAP)
    expect((await pc('all', file, '-o', 'json')).stdout).toBe(`${JSON.stringify({ configs: [BOOTSTRAP] })}\n`)
    expect((await pc('all', file, '-o', 'yaml')).stdout.split('\n')[1]).toMatch(/^ {2}- "@type": /)
  })
})

describe('a bad dump', () => {
  const names = Array.from({ length: 50 }, (_, index) => `outbound|80||s${index}.shop.svc.cluster.local`)
  const whole = JSON.stringify({ configs: [BOOTSTRAP, clusters(...names.map((name) => ({ name, type: 'EDS' })))] })

  test('that is compressed is unpacked', async () => {
    expect(await table('cluster', saved(gzipSync(whole)))).toHaveLength(51)
  })

  test.each([
    ['cut', (text: string) => Buffer.from(text.slice(0, -1500))],
    ['compressed and cut', (text: string) => gzipSync(text, { level: 0 }).subarray(0, -1500)],
  ])('that is %s gives what is whole, and says what is wrong', async (_what, cut) => {
    const { code, stdout, stderr } = await pc('cluster', saved(cut(whole)))
    expect(code).toBe(1)
    expect(stdout.split('\n').length).toBeGreaterThan(20)
    expect(stdout.split('\n').length).toBeLessThan(51)
    expect(stderr).toMatch(/^Error: .* is damaged: it ends after \d+ bytes, in the middle; what is whole is shown\n$/)
    const data = await pc('cluster', saved(cut(whole)), '-o', 'json')
    expect(data.code).toBe(1)
    expect(JSON.parse(data.stdout).length).toBeGreaterThan(20)
  })

  test('with something else in the middle gives what stands before it', async () => {
    const broken = whole.replace('{"cluster":{"name":"outbound|80||s30', '<html>')
    const { code, stdout, stderr } = await pc('cluster', saved(broken))
    expect([code, stdout.split('\n').length]).toEqual([1, 32])
    expect(stderr).toMatch(/^Error: .* is damaged: /)
  })

  test.each([
    ['', /it ends after 0 bytes/],
    ['<html>', /it is no JSON at byte 0: "<html>" stands where a { belongs/],
    ['{"configs":', /it ends after 11 bytes/],
  ])('%j is said to be none', async (text, message) => {
    const { code, stdout, stderr } = await pc('cluster', saved(text))
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^Error: .* is no config dump: /)
    expect(stderr).toMatch(message)
    expect(stderr.split('\n')).toHaveLength(2)
  })

  test('that begins as gzip and is none is refused in a line', async () => {
    expect(await pc('cluster', saved(Buffer.from([0x1f, 0x8b, 1, 2, 3])))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Error: cannot read .*: it is no gzip although it begins as such\n$/),
    })
  })
})

test('a pod and a file exclude each other, and one of them is needed', async () => {
  for (const kind of ['cluster', 'listener', 'route', 'endpoint', 'eds', 'bootstrap', 'secret', 'ecds', 'all']) {
    expect(await inProcess(['pc', kind], {})).toMatchObject({ code: 64, stderr: expect.stringContaining('no pod') })
    expect(await inProcess(['pc', kind, 'a.b', '-f', 'x'], {})).toMatchObject({ code: 64, stderr: expect.stringContaining('not both') })
  }
})
